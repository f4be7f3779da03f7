"""M2M-100, which is NLLB's layout too, against transformers.

Authority: its classes with the same random weights.
"""

import json
from typing import Any

import pytest
import torch
import transformers

import pellucid
from parity.encoder_decoder import SIZES, Pair
from parity.peer import (
    assert_close,
    check_both_ways,
    check_texts,
    export_and_open,
    randomize,
    save_and_open,
    vary_weights,
)
from pellucid.config.model import ModelConfig
from pellucid.decoding.search import SpecialIds
from pellucid.errors import ConfigError
from pellucid.formats.huggingface import open_published
from text.published.samples import m2m

PAD, END, LANGUAGE = 1, 2, 40
CONFIG: dict[str, Any] = {
    **SIZES,
    "pad_token_id": PAD,
    "eos_token_id": END,
    "decoder_start_token_id": END,
}
TARGET = torch.tensor([[END, LANGUAGE, 9, 7], [END, LANGUAGE, 4, 6], [END, LANGUAGE, 5, 8]])
PAIR = Pair(TARGET)


def made(**changes: Any) -> Any:
    config = transformers.M2M100Config(**{**CONFIG, **changes})
    return transformers.M2M100ForConditionalGeneration(config)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scale_embedding": False, "activation_function": "gelu"},
        {"tie_word_embeddings": False},  # version 5 then ties no embedding either
    ],
    ids=str,
)
def test_the_head(changes, tmp_path):
    check_both_ways(made(**changes), tmp_path, PAIR.outputs, PAIR.compute_logits)


@torch.no_grad()
@pytest.mark.parametrize("pad", [0, 1, 13])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_has_no_position(pad, side, tmp_path):
    """Of a base class, with texts longer than max_position_embeddings: no table ends there."""
    kind = transformers.M2M100Model
    reference = randomize(kind(transformers.M2M100Config(**{**CONFIG, "pad_token_id": pad})))
    rng = torch.Generator().manual_seed(0)
    ids = torch.randint(14, 50, (2, 60), generator=rng)
    keep = torch.arange(60) < torch.tensor([60, 41])[:, None]
    keep = keep.flip(1) if side == "left" else keep
    ids = ids.where(keep, pad)
    inputs: Any = {"attention_mask": keep.long(), "decoder_input_ids": TARGET[:2]}
    expected = reference(ids, **inputs).last_hidden_state
    published = save_and_open(reference, tmp_path / "imported")
    assert published.model.config.first_position == pad + 1
    assert_close(published.model(ids, keep, TARGET[:2]), expected)
    again = export_and_open(published, kind, tmp_path / "exported")
    assert_close(again(ids, **inputs).last_hidden_state, expected)


@torch.no_grad()
def test_settings_of_a_bare_config(tmp_path):
    """What a file omits has the default of the class."""
    reference = randomize(made())
    reference.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for name in ("activation_function", "scale_embedding", "pad_token_id", "attention_dropout"):
        del config[name]
    path.write_text(json.dumps(config))
    published = open_published(tmp_path)
    assert_close(PAIR.compute_logits(published, "lm"), PAIR.outputs(reference)["lm"])
    assert published.model.config.attention_dropout == 0.1


def test_too_narrow_for_two_waves():
    with pytest.raises(ConfigError, match="d_model=2"):
        ModelConfig(d_model=2, n_heads=1, positions="sinusoid-real")


def test_same_translations(tmp_path):
    """From the end token, then the language."""
    reference = vary_weights(made(tie_word_embeddings=False), seed=1)
    model = save_and_open(reference, tmp_path).model
    settings: Any = {"forced_bos_token_id": LANGUAGE, "bad_words_ids": [[PAD]]}
    check_texts(model, reference, SpecialIds(END, END, (PAD,), LANGUAGE), **settings)


@torch.no_grad()
def test_translations_into_a_chosen_language(tmp_path):
    """With the tokenizer of a directory; authority: transformers' tokenizer and generate()."""
    m2m(tmp_path)
    tokenizer: Any = transformers.M2M100Tokenizer.from_pretrained(tmp_path, src_lang="zh")
    size = len(tokenizer.encoder) + 108  # rows of 8 more words, as published
    reference = vary_weights(made(vocab_size=size, tie_word_embeddings=False), seed=3)
    reference.save_pretrained(tmp_path)
    search = {"num_beams": 4, "early_stopping": True, "max_new_tokens": 12}
    ids = {"pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": END}
    written = json.dumps({**search, **ids, "bad_words_ids": [[PAD]]})
    (tmp_path / "generation_config.json").write_text(written)
    texts = ["The dog sleeps.", "An old gardener saw the white cat.", "A", "这只动物很累。"]
    model = pellucid.load(tmp_path, device="cpu")
    translated = model.translate(texts, source_language="zh", to="de")
    reference = transformers.M2M100ForConditionalGeneration.from_pretrained(tmp_path).eval()
    for text, result in zip(texts, translated, strict=True):
        row = tokenizer(text, return_tensors="pt")
        code = tokenizer.get_lang_id("de")
        expected = reference.generate(**row, forced_bos_token_id=code)[0, 1:].tolist()
        assert list(result.ids) == [i for i in expected if i not in (PAD, END)]
    assert len({result.ids for result in translated}) > 2, "equal texts prove little"
