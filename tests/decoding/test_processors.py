"""Authorities: transformers' own processors on the same logits; by hand where it has none."""

import pytest
import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.processors import (
    build_filters,
    build_penalties,
    no_repeat_ngram,
    no_sequences,
    repetition_penalty,
)
from pellucid.decoding.search_state import NO_TOKEN

reference = pytest.importorskip("transformers.generation.logits_process")

RNG = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(6, 61, generator=RNG)
TEXTS = torch.randint(0, 7, (6, 30), generator=RNG)
LOGITS[1, 5:40] = float("-inf")
LOGITS[2] = 0.0  # all alike: the entropy's own case
LOGITS[3] = LOGITS[3].round()  # ties
LOGITS[4, 7] = 60.0  # certain

CUTS = [
    ({"temperature": 0.7}, reference.TemperatureLogitsWarper(0.7)),
    ({"temperature": 2.5}, reference.TemperatureLogitsWarper(2.5)),
    ({"top_k": 1}, reference.TopKLogitsWarper(1)),
    ({"top_k": 9}, reference.TopKLogitsWarper(9)),
    ({"top_k": 1000}, reference.TopKLogitsWarper(1000)),
    ({"top_p": 0.3}, reference.TopPLogitsWarper(0.3)),
    ({"top_p": 0.95}, reference.TopPLogitsWarper(0.95)),
    ({"top_p": 1e-6}, reference.TopPLogitsWarper(1e-6)),
    ({"min_p": 0.05}, reference.MinPLogitsWarper(0.05)),
    ({"min_p": 1.0}, reference.MinPLogitsWarper(1.0)),
    ({"typical_p": 0.2}, reference.TypicalLogitsWarper(0.2)),
    ({"typical_p": 0.9}, reference.TypicalLogitsWarper(0.9)),
]


@pytest.mark.parametrize(("settings", "warper"), CUTS)
def test_cuts_are_those_of_transformers(settings, warper):
    (apply,) = build_filters(DecodingConfig(method="sample", **settings))
    actual, expected = apply(LOGITS), warper(TEXTS, LOGITS)
    assert torch.equal(actual.isinf(), expected.isinf())
    torch.testing.assert_close(actual.softmax(-1), expected.softmax(-1), atol=1e-6, rtol=0)


def test_the_order_is_that_of_transformers():
    settings = {"temperature": 1.5, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.8}
    expected = actual = LOGITS
    for apply in build_filters(DecodingConfig(method="sample", **settings)):
        actual = apply(actual)
    for warper in (
        reference.TemperatureLogitsWarper(1.5),
        reference.TopKLogitsWarper(30),
        reference.TopPLogitsWarper(0.9),
        reference.MinPLogitsWarper(0.02),
        reference.TypicalLogitsWarper(0.8),
    ):
        expected = warper(TEXTS, expected)
    assert torch.equal(actual.isinf(), expected.isinf())
    torch.testing.assert_close(actual.softmax(-1), expected.softmax(-1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("penalty", [0.5, 1.2, 3.0])
def test_repetition_penalty_is_that_of_transformers(penalty):
    expected = reference.RepetitionPenaltyLogitsProcessor(penalty)(TEXTS, LOGITS)
    assert torch.equal(repetition_penalty(LOGITS, TEXTS, penalty), expected)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 31, 32])
def test_no_repeat_ngram_is_that_of_transformers(n):
    expected = reference.NoRepeatNGramLogitsProcessor(n)(TEXTS, LOGITS)
    assert torch.equal(no_repeat_ngram(LOGITS, TEXTS, n), expected)
    assert n > 3 or not torch.equal(expected, LOGITS)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_padding_is_no_token(n):  # authority: each text alone, without padding
    for length in (1, 2, 5, 30):
        padded = TEXTS.clone()
        padded[:, : 30 - length] = NO_TOKEN
        alone = TEXTS[:, 30 - length :]
        assert torch.equal(no_repeat_ngram(LOGITS, padded, n), no_repeat_ngram(LOGITS, alone, n))
        actual = repetition_penalty(LOGITS, padded, 1.3)
        assert torch.equal(actual, repetition_penalty(LOGITS, alone, 1.3))


def test_without_settings_nothing_changes():
    assert build_penalties(DecodingConfig()) == ()
    assert build_filters(DecodingConfig(method="sample")) == ()


def test_logits_are_not_changed():
    before = LOGITS.clone()
    for settings, _ in CUTS:
        build_filters(DecodingConfig(method="sample", **settings))[0](LOGITS)
    repetition_penalty(LOGITS, TEXTS, 2.0)
    no_repeat_ngram(LOGITS, TEXTS, 2)
    assert torch.equal(LOGITS, before)


@pytest.mark.parametrize("sequences", [[(3, 4)], [(6, 2, 1), (0, 0), (5, 6)], [(*[1] * 31, 2)]])
def test_sequences_are_those_of_transformers(sequences):
    texts = TEXTS.clone()
    for row, (*begun, _) in enumerate(sequences):
        texts[row, -len(begun) :] = torch.tensor(begun)[:30]
    actual = no_sequences(LOGITS, texts, sequences)
    words = [list(sequence) for sequence in sequences]
    expected = reference.NoBadWordsLogitsProcessor(words, eos_token_id=60)(texts, LOGITS)
    assert torch.equal(actual, expected)
    assert torch.equal(actual, LOGITS) == (len(sequences[0]) > 30)
