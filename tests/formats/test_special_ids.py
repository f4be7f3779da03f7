"""Where texts begin and end, for models whose decoder starts with a text's own last token.

Authority: transformers' generate(), loss and shift_tokens_right, on random models of both styles:
texts `X </s> LANGUAGE` that start with the language, and `LANGUAGE X </s>` that start with the end.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.models.mbart.modeling_mbart import shift_tokens_right

import pellucid
from parity.peer import vary_weights
from pellucid.config.data import DataConfig
from pellucid.config.model import ModelConfig
from pellucid.config.run import RunConfig
from pellucid.errors import UsageError
from pellucid.formats.open_model import open_model
from pellucid.formats.special_ids import wrap_source
from pellucid.inference.score import score
from pellucid.tasks.protocol import TaskInputs
from pellucid.tasks.translation import TranslationTask
from pellucid.text.pair import Tokenizers
from pellucid.text.published.language import with_language
from pellucid.text.published.open import open_tokenizer
from tasks.small import records_of
from text.published.samples import mbart, wordpiece

PAD, END = 1, 2
TEXTS = ["The dog sleeps.", "An old gardener saw the white cat.", "A", "The snow fell", "Who came?"]
STYLES = {"cc25": "MBartTokenizer", "50": "MBart50Tokenizer"}
SHAPE: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 80,
    "scale_embedding": True,
    "tie_word_embeddings": False,
}


@pytest.fixture(scope="module", params=STYLES)
def style(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def directory(style, tmp_path_factory) -> Path:
    """A random mBART of transformers with a tokenizer; its texts are English by default."""
    place = mbart(tmp_path_factory.mktemp("mbart"), tokenizer_class=STYLES[style])
    size = open_tokenizer(place).vocab_size
    config = transformers.MBartConfig(vocab_size=size, **SHAPE)
    reference: Any = vary_weights(transformers.MBartForConditionalGeneration(config), seed=3)
    reference.final_logits_bias[0, END] += 3.0
    reference.save_pretrained(place)
    return place


def update_config(directory: Path, **ids: int | None) -> None:
    """Set beam 4, 12 tokens and these ids in config.json."""
    search = {"num_beams": 4, "early_stopping": True, "max_new_tokens": 12}
    known = {"pad_token_id": PAD, "eos_token_id": END, "bad_words_ids": [[PAD]]}
    whole = {**search, **known, "bos_token_id": 0, **ids}
    (directory / "generation_config.json").write_text(json.dumps(whole))


def save_and_open(directory: Path) -> tuple[Any, Any]:
    """Open a directory with pellucid and with transformers."""
    kind: Any = transformers.MBartForConditionalGeneration
    return pellucid.load(directory, device="cpu"), kind.from_pretrained(directory).eval()


@torch.no_grad()
def same(actual: Any, reference: Any, **inputs: Any) -> None:
    texts = actual.generate(TEXTS)
    for text, result in zip(TEXTS, texts, strict=True):
        ids = actual.tokenizer.source.encode(text).ids
        row = torch.tensor([actual.tokenizer.source.add_special_tokens(ids).ids])
        made = {name: value(row) if callable(value) else value for name, value in inputs.items()}
        expected = reference.generate(row, attention_mask=torch.ones_like(row), **made)[
            0, 1:
        ].tolist()
        assert list(result.ids) == [i for i in expected if i not in (PAD, END)]
    assert len({text.ids for text in texts}) > 2, "equal texts prove little"
    translated = actual.translate(TEXTS)
    assert [t.ids for t in translated] == [text.ids for text in texts]
    pairs = [place for t in translated for place in t.alignment]
    assert len(pairs) == sum(len(t.tokens) for t in translated)


def test_the_start_is_the_texts_own_last_token(directory):
    """Nothing tells the start: it is what the text itself ends with, in its own language."""
    update_config(directory)
    same(*save_and_open(directory), decoder_start_token_id=lambda row: int(row[0, -1]))


def test_a_directory_may_name_another_language(directory, style):
    german = open_tokenizer(directory).extra["de_DE"]
    if style == "cc25":
        update_config(directory, decoder_start_token_id=german)
    else:
        update_config(directory, decoder_start_token_id=END, forced_bos_token_id=german)
    same(*save_and_open(directory))


def test_a_text_is_split_where_its_translation_would_not_fit(directory):
    """80 positions; authority: arithmetic on 2 S + 20, the language and the end counted in S."""
    update_config(directory)
    model, _ = save_and_open(directory)
    for n, parts in ((28, 1), (29, 2)):
        text = "a" + " a" * (n - 1)
        assert len(model.tokenizer.source.encode(text).ids) == n
        (result,) = model.translate([text], alignment=False, beam=1, max_length=0, min_length=99)
        assert result.parts == parts
    # A prompt is not split: its text is cut, the start token being the first of the 80.
    text = "a" * 30 + " a" * 20
    row = model.tokenizer.source.encode(text).ids
    assert 2 * len(row) + 20 > 80 > len(row) + 2
    (written,) = model.generate([text], beam=1, max_length=0, min_length=99)
    assert len(written.ids) == 79


@torch.no_grad()
def test_scores_are_those_of_transformers(directory, style):
    update_config(directory)
    actual, reference = save_and_open(directory)
    tokenizer = actual.tokenizer.source
    pairs = [(text, TEXTS[-1 - i]) for i, text in enumerate(TEXTS)]
    for (source, target), result in zip(pairs, score(actual.bundle, pairs), strict=True):
        rows = [tokenizer.add_special_tokens(tokenizer.encode(t).ids).ids for t in (source, target)]
        ids, labels = (torch.tensor([row]) for row in rows)
        logits = reference(ids, labels=labels).logits  # their own shift
        chosen = logits.log_softmax(-1).gather(-1, labels[..., None])[0, :, 0]
        after = 1 if style == "cc25" else 0  # the language behind the end token is not written
        assert result.tokens == len(rows[1]) - after
        assert result.log_prob == pytest.approx(float(chosen[: result.tokens].sum()), abs=1e-4)


def test_the_decoder_reads_in_training_what_theirs_does(directory):
    source = open_tokenizer(directory)
    target = with_language(source, "de_DE")
    pairs = list(zip(TEXTS, reversed(TEXTS), strict=True))
    tokenizers = Tokenizers(source, target)
    data = DataConfig(source_language="en", target_language="de")
    config = RunConfig(model=ModelConfig(), family="mbart", data=data)
    task = TranslationTask(TaskInputs(config=config, tokenizers=tokenizers))
    examples = [each.columns for each in task.encode(records_of(pairs))]
    batch = task.collate(examples, seed=0)
    rows = [target.add_special_tokens(ids.tolist()).ids for _, ids in examples]
    labels = torch.full((len(rows), max(map(len, rows))), PAD)
    for filled, row in zip(labels, rows, strict=True):
        filled[: len(row)] = torch.tensor(row)
    expected = shift_tokens_right(labels, PAD)
    real = labels != PAD
    assert torch.equal(batch.target[real], expected[real])
    assert torch.equal(batch.labels, labels[real])
    assert torch.equal(batch.real, real.flatten().nonzero()[:, 0])
    for result, (ids, _) in zip(batch.source, examples, strict=True):
        whole = source.add_special_tokens(ids.tolist()).ids
        assert result[: len(whole)].tolist() == whole
        assert np.all(result[len(whole) :].numpy() == PAD)


def test_a_decoder_that_has_nothing_to_read_first(directory, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((directory / name).read_bytes())
    with pytest.raises(UsageError, match="start token is unknown"):
        _ = pellucid.load(tmp_path, device="cpu").bundle.special_ids


def test_the_template_decides_whatever_the_task(tmp_path):  # authority: transformers' tokenizer
    wordpiece(tmp_path, tokenizer_class="BertTokenizer")
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=900, intermediate_size=8, **shape)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    reference: Any = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for task in ("", "masked_lm", "translation"):
        bundle = replace(open_model(tmp_path), task=task)
        for text in TEXTS:
            ids = bundle.tokenizers.source.encode(text).ids
            assert wrap_source(bundle, ids) == reference(text)["input_ids"]


@torch.no_grad()
def test_the_target_language_can_be_chosen(directory, style):
    """Authority: transformers' generate() with the token of the language."""
    update_config(directory)
    actual, reference = save_and_open(directory)
    tokenizer = actual.tokenizer.source
    code = tokenizer.extra["de_DE"]
    chosen = {"decoder_start_token_id": code}
    if style == "50":
        chosen = {"decoder_start_token_id": END, "forced_bos_token_id": code}
    for text in TEXTS:
        ids = torch.tensor([tokenizer.add_special_tokens(tokenizer.encode(text).ids).ids])
        expected = reference.generate(ids, num_beams=1, max_new_tokens=9, **chosen)[0, 1:].tolist()
        (output,) = actual.translate([text], to="de_DE", alignment=False, beam=1, max_length=9)
        assert list(output.ids) == [i for i in expected if i not in (END, PAD)]
    (same_language,) = actual.translate([text], to="de", alignment=False, beam=1, max_length=9)
    assert same_language.ids == output.ids
    with pytest.raises(UsageError, match="cannot be marked as 'xx'"):
        actual.translate(TEXTS, to="xx")
