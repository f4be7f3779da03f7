"""What a call may ask of its texts, and rows that are no pieces.

Authorities: transformers' `generate`, `decode` and tokenizers; each text alone.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import pellucid
from parity.peer import vary_weights
from pellucid import garden
from pellucid.api import Loaded
from pellucid.errors import UsageError
from pellucid.inference.options import CallOptions, prefix_rows
from text.published.samples import FAIRSEQ, byte_bpe, configure, spm

TEXTS = ["The dog", "Last week the snake", "old red house", "a b c", "sleeps under"]
PIECES = 150
ROWS = 28  # of the model, beyond its tokenizer's pieces


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> tuple[Any, Path, Loaded]:
    """A random T5 with more embeddings than pieces, in transformers and in pellucid."""
    directory = tmp_path_factory.mktemp("t5")
    lines = tuple(english for english, _ in garden.pairs(300, "en", "de"))
    roles = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    (directory / "spiece.model").write_bytes(spm(lines, vocab_size=PIECES, **roles))
    configure(directory, tokenizer_class="T5Tokenizer")
    size = len(transformers.AutoTokenizer.from_pretrained(directory))
    shape: dict[str, Any] = {"d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 20, "num_layers": 2}
    config = transformers.T5Config(
        vocab_size=size + ROWS, decoder_start_token_id=0, tie_word_embeddings=False, **shape
    )
    reference: Any = vary_weights(transformers.T5ForConditionalGeneration(config), 3)
    reference.lm_head.weight.data[:3] *= 0.3  # few ends and unknown pieces
    reference.lm_head.weight.data[PIECES:size] = 0  # and no sentinels
    reference.save_pretrained(directory)
    return reference, directory, pellucid.load(directory, device="cpu")


@torch.no_grad()
def generate_reference(reference: Any, row: list[int], **settings: Any) -> list[int]:
    """Return the ids that transformers generates, without start and end."""
    settings = {"max_new_tokens": 12, "do_sample": False, "early_stopping": True} | settings
    actual = reference.generate(torch.tensor([row]), **settings)[0, 1:].tolist()
    return [*actual, 1][: [*actual, 1].index(1)]


def rows_of(directory: Path) -> list[list[int]]:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
    return [tokenizer(text).input_ids for text in TEXTS]


@pytest.mark.parametrize("beam", [1, 3])
def test_rows_that_are_no_pieces_have_no_text(wide, beam):
    reference, directory, model = wide
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
    beyond = 0
    actual = model.generate(TEXTS, beam=beam, max_length=12, stop_at=["never"])
    for row, text in zip(rows_of(directory), actual, strict=True):
        assert list(text.ids) == generate_reference(reference, row, num_beams=beam)
        assert text.text == tokenizer.decode(text.ids, skip_special_tokens=True)
        for i, piece in zip(text.ids, text.tokens, strict=True):
            assert piece == (tokenizer.convert_ids_to_tokens(i) or f"<{i}>")
            beyond += piece == f"<{i}>"
    assert beyond
    if beam == 1:
        assert "".join(model.stream(TEXTS[0], max_length=12)) == actual[0].text
    assert [t.text for t in model.translate(TEXTS, beam=beam, max_length=12)] == [
        t.text for t in actual
    ]


def test_a_prefix_equals_decoder_input_ids_of_transformers(wide):
    reference, directory, model = wide
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory)
    begun = ["the old", "", "dog", "the", "snake table"]
    actual = model.generate(TEXTS, prefix=begun, beam=1, max_length=12)
    beams = model.generate(TEXTS, prefix=begun, beam=3, max_length=12)
    for row, prefix, text, best in zip(rows_of(directory), begun, actual, beams, strict=True):
        ids = tokenizer(prefix).input_ids[:-1]
        read = torch.tensor([[0, *ids]])
        new = {"decoder_input_ids": read, "max_new_tokens": 12 - len(ids)}
        assert list(text.ids) == generate_reference(reference, row, **new)
        assert list(best.ids[: len(ids)]) == ids  # transformers counts the prompt differently
        assert text.text.startswith(prefix)
        assert best.text.startswith(prefix)
    (one,) = model.generate(TEXTS[:1], prefix=begun[0], beam=1, max_length=12)
    assert (one.ids, one.text) == (actual[0].ids, actual[0].text)
    assert model.translate(TEXTS[:1], prefix=begun[0], beam=1, max_length=12)[0].text == one.text


def strings_of(model: Loaded, texts: list[str]) -> list[str]:
    """A word of one piece that is written, and two words that are, one after the other."""
    words = [text.split() for text in texts]
    cut = model.tokenizer.target.encode
    one = next(word for each in words for word in each if len(cut(word).ids) == 1)
    return [one, next(" ".join(each[:2]) for each in words if len(each) > 1)]


@pytest.mark.parametrize("beam", [1, 3])
def test_banned_strings_equal_bad_words_ids_of_transformers(wide, beam):
    reference, directory, model = wide
    settings: dict[str, Any] = {"beam": beam, "max_length": 12}
    free = model.generate(TEXTS, **settings)
    one, two = strings_of(model, [text.text for text in free])
    encode = model.tokenizer.target.encode
    for banned in ([one], [two], [one, two]):
        cut = [encode(form).ids for word in banned for form in (word, f" {word}")]
        actual = model.generate(TEXTS, banned=banned, **settings)
        for row, text in zip(rows_of(directory), actual, strict=True):
            assert list(text.ids) == generate_reference(
                reference, row, bad_words_ids=cut, num_beams=beam
            )
        assert [text.ids for text in actual] != [text.ids for text in free]


def test_prefix_and_bans_hold_for_samples_drafts_and_streams(
    wide,
):  # authority: the pieces themselves
    model = wide[2]
    free = model.generate(TEXTS, beam=1, max_length=12)
    banned = strings_of(model, [text.text for text in free])
    (one,), (*begun, last) = (model.tokenizer.target.encode(word).ids for word in banned)
    asked: dict[str, Any] = {"prefix": "the old", "banned": banned}
    ways: list[dict[str, Any]] = [
        {"method": "sample", "n_best": 3},
        {"method": "mbr", "samples": 3},
        {"beam": 4, "groups": 2, "diversity": 0.5},
        {"draft": model},
    ]
    for way in ways:
        for texts in model.generate(TEXTS, **asked, max_length=12, **way):
            for text in texts if isinstance(texts, list) else [texts]:
                assert text.text.startswith("the old")
                assert one not in text.ids
                windows = zip(*(text.ids[i:] for i in range(len(begun) + 1)), strict=False)
                assert (*begun, last) not in windows
    (whole,) = model.generate(TEXTS[:1], beam=1, **asked)
    assert "".join(model.stream(TEXTS[0], **asked)) == whole.text


def test_a_prefix_stands_behind_what_begins_every_text(tmp_path):
    """Authority: their tokenizer, which makes the labels that such a decoder learns."""
    byte_bpe(tmp_path, FAIRSEQ, tokenizer_class="BartTokenizer")
    tokenizer: Any = transformers.BartTokenizer.from_pretrained(tmp_path)
    shape: dict[str, Any] = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1}
    shape |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 8}
    for forced in (None, tokenizer.bos_token_id):
        config = transformers.BartConfig(vocab_size=len(tokenizer), decoder_ffn_dim=8, **shape)
        reference: Any = transformers.BartForConditionalGeneration(config)
        reference.generation_config.forced_bos_token_id = forced
        reference.save_pretrained(tmp_path)
        model = pellucid.load(tmp_path, device="cpu")
        expected = tokenizer("The dog").input_ids[:-1]
        (row,) = prefix_rows(model.bundle, CallOptions(prefix="The dog"), 1)
        assert [forced, *row] == expected if forced is not None else row == expected
        (text,) = model.generate(["a"], prefix="The dog", beam=1, max_length=6)
        assert list(text.ids[: len(expected)]) == expected


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "too few": ({"prefix": ["a"]}, "1 prefixes for 5 texts"),
    "no string": ({"prefix": [3, 4, 5, 6, 7]}, "neither a string nor a list of strings"),
    "unknown": ({"prefix": "the \U0001f9a9"}, "characters that the tokenizer does not know"),
    "no room": ({"prefix": "the old dog", "max_length": 2}, "leaves no room in a text of at most"),
    "one string": ({"banned": "dog"}, r"Write banned=\[text\]"),
    "nothing": ({"banned": [""]}, "is nothing to this tokenizer"),
    "no strings": ({"stop_at": [3]}, r"Write stop_at=\[text\]"),
    "no number": ({"first": "x"}, "is the number of a call's first text"),
    "below 0": ({"first": -1}, "Use 0 or more"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_does_not_fit_is_said(name, wide):  # authority: the words
    asked, message = FAULTS[name]
    with pytest.raises(UsageError, match=message):
        wide[2].generate(TEXTS, **asked)
