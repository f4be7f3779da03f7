"""Prompts to texts.  Authority: transformers."""

import shutil
from typing import Any

import pytest
import torch
import transformers
from tokenizers import processors

import pellucid
from cli.writers import END
from parity.peer import randomize
from pellucid.errors import UsageError
from pellucid.inference.score import score
from text.published.samples import FAIRSEQ, byte_bpe

PROMPTS = ["The dog", "Last week the snake", "A"]


@torch.no_grad()
def test_prompts_are_continued_as_by_transformers(gpt2):
    reference, directory = gpt2
    model = pellucid.load(directory, device="cpu")
    actual = model.generate(PROMPTS, beam=1, max_length=9)
    for prompt, text in zip(PROMPTS, actual, strict=True):
        ids = torch.tensor([model.tokenizer.source.encode(prompt).ids])
        expected = reference.generate(ids, max_new_tokens=9, do_sample=False)[0, ids.shape[1] :]
        ended = [*expected.tolist(), 0]
        assert list(text.ids) == ended[: ended.index(0)]
        assert text.text == model.tokenizer.target.decode(text.ids)


@torch.no_grad()
def test_a_text_is_cut_where_the_positions_end(gpt2):
    """Without max_length, or with a larger one, the limit is the number of positions."""
    reference, directory = gpt2
    model = pellucid.load(directory, device="cpu")
    long = "The old cat sat on the table because it was tired. " * 2
    prompts = ["A", long[:60], "", long]
    rows = [model.tokenizer.source.encode(prompt).ids or [0] for prompt in prompts]
    assert 24 < len(rows[1]) < len(rows[3]) < 64
    actual = model.generate(prompts, beam=1, min_length=64)
    for row, text in zip(rows, actual, strict=True):
        most = min(64, len(row) + 2 * (len(row) if row != [0] else 0) + 20)
        ids = torch.tensor([row])
        inputs = {"max_length": most, "min_length": most, "do_sample": False}
        expected = reference.generate(ids, **inputs)[0, len(row) :].tolist()
        assert list(text.ids) == expected
    found_of_many = model.generate(prompts, beam=1, min_length=64, max_length=100)
    for row, text in zip(rows, found_of_many, strict=True):  # the last token needs no place
        most = 65 - len(row)
        inputs = {"max_new_tokens": most, "min_new_tokens": most, "do_sample": False}
        assert (
            list(text.ids)
            == reference.generate(torch.tensor([row]), **inputs)[0, len(row) :].tolist()
        )
    again = model.generate(prompts, min_length=64, draft=model)
    assert [len(text.ids) for text in again] == [len(text.ids) for text in actual]


def test_samples_are_seeded_and_stop_strings_end_a_text(gpt2):
    model = pellucid.load(gpt2[1], device="cpu")
    draw = {"method": "sample", "max_length": 12, "n_best": 3, "min_length": 11}
    first = model.generate(PROMPTS, **draw, seed=4)
    alone = model.generate(PROMPTS, **draw, seed=4, batch_size=1)
    assert [[t.ids for t in texts] for texts in first] == [[t.ids for t in ts] for ts in alone]
    assert first != model.generate(PROMPTS, **draw, seed=5)
    text = first[0][0].text
    stop = text[len(text) // 2]
    (stopped, *_), *_ = model.generate(PROMPTS, **draw, seed=4, stop_at=[stop])
    assert stopped.text == text.split(stop)[0]
    assert stopped.finished


@torch.no_grad()
def test_a_prompt_has_the_special_tokens_before_it(gpt2, tmp_path):
    """Authority: transformers, which opens the same tokenizer.json and its template."""
    reference, directory = gpt2
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    tokenizer: Any = transformers.GPT2Tokenizer.from_pretrained(directory)
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A", pair=f"{END} $A $B", special_tokens=[(END, 0)]
    )
    tokenizer.save_pretrained(tmp_path)
    again: Any = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    for prompt, text in zip(PROMPTS, model.generate(PROMPTS, beam=1, max_length=9), strict=True):
        ids = again(prompt, return_tensors="pt").input_ids
        assert ids[0, 0] == 0
        expected = reference.generate(ids, max_new_tokens=9, do_sample=False)[0, ids.shape[1] :]
        ended = [*expected.tolist(), 0]
        assert list(text.ids) == ended[: ended.index(0)]


def test_a_prompt_longer_than_the_model_reads_is_refused(gpt2):  # authority: its 64 positions
    model = pellucid.load(gpt2[1], device="cpu")
    long = "The old cat sat on the table. " * 9
    assert len(model.ids(long)) > 64
    for verb in (model.generate, lambda prompts: list(model.stream(prompts[1]))):
        with pytest.raises(UsageError, match=r"the prompt 'The old .* this model reads 64"):
            verb(["The dog", long])


def test_a_source_that_is_cut_says_so(tmp_path):
    """Authority: the text that transformers writes for the same first tokens."""
    byte_bpe(tmp_path, FAIRSEQ, tokenizer_class="BartTokenizer")
    tokenizer: Any = transformers.BartTokenizer.from_pretrained(tmp_path)
    shape: dict[str, Any] = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
    shape |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16}
    config = transformers.BartConfig(
        vocab_size=len(tokenizer), decoder_ffn_dim=16, max_position_embeddings=20, **shape
    )
    reference: Any = randomize(transformers.BartForConditionalGeneration(config))
    reference.save_pretrained(tmp_path)
    model = pellucid.load(tmp_path, device="cpu")
    long = "The old cat sat on the table. " * 2
    actual = model.generate(["The dog", long], beam=1, max_length=6)
    whole = tokenizer(long).input_ids
    assert [text.source_cut for text in actual] == [0, len(whole) - 20] != [0, 0]
    ids = torch.tensor([[*whole[:19], whole[-1]]])
    expected = reference.generate(ids, max_new_tokens=6, do_sample=False, num_beams=1)[
        0, 1:
    ].tolist()
    ended = [*expected, reference.config.eos_token_id]
    assert list(actual[1].ids) == ended[: ended.index(reference.config.eos_token_id)]


def test_what_a_model_cannot_do_is_said(gpt2, bert):
    with pytest.raises(UsageError, match="no language-model head"):
        pellucid.load(bert[1], device="cpu").generate(PROMPTS)
    with pytest.raises(UsageError, match="there is no head 'mlm'"):
        pellucid.load(gpt2[1], device="cpu").fill(["a"])
    for _, directory in (gpt2, bert):
        model = pellucid.load(directory, device="cpu")
        with pytest.raises(UsageError, match="Use generate, fill or embed"):
            model.translate(PROMPTS)
        with pytest.raises(UsageError, match="cannot translate"):
            score(model.bundle, [("A dog", "Ein Hund")])
    for verb in ("generate", "fill", "embed"):
        with pytest.raises(UsageError, match="takes a list"):
            getattr(pellucid.load(bert[1], device="cpu"), verb)("text")
