"""The noise of BART and mBART. Authority: scipy, brute force, and each definition."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pellucid.config.tasks.denoising import DenoisingConfig
from pellucid.data.denoising import (
    DenoisingTokens,
    draw_span_lengths,
    infill,
    noise_document,
    permute_sentences,
)
from pellucid.families.mbart import MBART
from pellucid.text.whole_words import WordBoundaries

MASK, STOP = 1, 2
TOKENS = DenoisingTokens(MASK, np.arange(3000) == STOP)
NO_NOISE = {"permute_sentences": False, "infilled": 0.0}


def noise(ids, seed=0, **settings):
    config = DenoisingConfig(**{**NO_NOISE, **settings})
    return noise_document(ids, config, TOKENS, np.random.default_rng(seed))


def test_the_defaults_are_those_of_bart():
    """Section 3: 30 % of the tokens, Poisson of mean 3, all sentences permuted."""
    c = DenoisingConfig()
    assert (c.infilled, c.span_length, c.permute_sentences) == (0.3, 3.0, True)
    assert (c.masked, c.deleted, c.rotated) == (0.0, 0.0, 0.0)


def test_span_lengths_are_poisson():
    lengths = draw_span_lengths(60_000, 3.0, np.random.default_rng(0))
    assert lengths.sum() == 60_000
    observed = np.bincount(np.minimum(lengths[:-1], 9), minlength=10)
    chances = stats.poisson.pmf(np.arange(9), 3.0)
    expected = np.append(chances, 1 - chances.sum()) * observed.sum()
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    assert observed[0] / observed.sum() == pytest.approx(np.exp(-3), abs=0.005)  # insertions


@given(st.integers(0, 200), st.floats(0.2, 8.0), st.integers(0, 99))
def test_spans_never_outnumber_their_tokens(n, mean, seed):  # so that no text grows
    lengths = draw_span_lengths(n, mean, np.random.default_rng(seed))
    assert lengths.sum() == n
    assert len(lengths) <= n
    assert (lengths >= 0).all()


@given(st.integers(1, 120), st.floats(0, 0.99), st.integers(0, 99))
def test_infilling_keeps_the_other_tokens_in_order(n, share, seed):  # authority: the definition
    ids = np.arange(10, 10 + n)
    lengths = draw_span_lengths(round(n * share), 3.0, np.random.default_rng(seed))
    noised = infill(ids, lengths, MASK, np.random.default_rng(seed))
    kept = noised[noised != MASK]
    assert (np.diff(kept) > 0).all()
    assert len(kept) == n - round(n * share)
    assert len(noised) - len(kept) == len(lengths)
    # Each run of masks stands for the tokens that are missing there.
    gaps = np.diff(np.concatenate(([9], kept, [10 + n]))) - 1
    assert gaps.sum() == lengths.sum()
    at, masks = 0, [0]
    for token in noised:
        if token == MASK:
            masks[at] += 1
        else:
            at += 1
            masks.append(0)
    assert all(m > 0 for m, gap in zip(masks, gaps, strict=True) if gap)


def test_spans_are_anywhere_with_equal_chances():
    """One span of 2 of 5 tokens and one of 0: 4 * 3 places of both; brute force over slots."""
    counts = Counter(
        tuple(infill(np.arange(10, 15), np.array([2, 0]), MASK, np.random.default_rng(s)).tolist())
        for s in range(6000)
    )
    expected_values = (
        Counter()
    )  # which slots are spans, in order: the first has 2 tokens, the second none
    for first in range(5):
        for second in range(first + 1, 5):
            row, text = [], iter(range(10, 15))
            for slot in range(5):
                if slot == first:
                    next(text), next(text)
                row.append(MASK if slot in (first, second) else next(text))
            expected_values[tuple(row)] += 1
    assert counts.keys() == expected_values.keys()
    for row, n in counts.items():
        chance = expected_values[row] / 10
        assert abs(n - 6000 * chance) < 4.5 * (6000 * chance * (1 - chance)) ** 0.5


def test_sentences_are_permuted_whole():  # authority: all permutations
    ids = np.array([5, STOP, 6, 6, STOP, STOP, 7])
    seen = {
        tuple(permute_sentences(ids, ids == STOP, np.random.default_rng(s)).tolist())
        for s in range(200)
    }
    sentences = ((5, STOP), (6, 6, STOP, STOP), (7,))
    assert seen == {sum(order, ()) for order in permutations(sentences)}


def test_masking_and_deletion_take_their_share():  # authority: the definition
    ids = np.arange(10, 210)
    masked = noise(ids, masked=0.25)
    assert (masked == MASK).sum() == 50
    assert (masked[masked != MASK] == ids[masked != MASK]).all()
    deleted = noise(ids, deleted=0.25)
    assert len(deleted) == 150
    assert (np.diff(deleted) > 0).all()
    assert ids.tolist() == list(range(10, 210))  # the text itself is left


def test_rotation_starts_anywhere():
    ids = np.arange(10, 15)
    seen = {tuple(noise(ids, seed, rotated=1.0).tolist()) for seed in range(100)}
    assert seen == {tuple(np.roll(ids, -i).tolist()) for i in range(5)}
    half = sum(noise(ids, seed, rotated=0.5)[0] == 10 for seed in range(1000))
    assert abs(half - 600) < 4.5 * (1000 * 0.6 * 0.4) ** 0.5  # one rotation in five changes nothing


def test_the_share_of_infilled_tokens_is_that_of_the_paper():
    ids = np.arange(100, 1100)
    noised = [noise(ids, seed, infilled=0.3) for seed in range(20)]
    assert {(row != MASK).sum() for row in noised} == {700}
    # 300 tokens in spans of 3 on average, and one more mask for each empty span.
    assert np.mean([(row == MASK).sum() for row in noised]) == pytest.approx(100, abs=5)


# Ids below 100 begin a word, the others continue it.
WORDS = WordBoundaries(np.arange(3000) < 100, np.zeros(3000, bool))


def test_mbart_infills_spans_of_words():
    """Liu et al. 2020, section 2.2: 35 % of the words, in spans with a Poisson mean of 3.5."""
    config = DenoisingConfig(**MBART.objectives["denoising"])
    assert (config.infilled, config.span_length, config.permute_sentences) == (0.35, 3.5, True)
    words = [[10 + i % 90, *range(1000 + 2 * i, 1000 + 2 * i + i % 3)] for i in range(400)]
    ids = np.array([i for word in words for i in word])
    tokens = DenoisingTokens(MASK, np.zeros(3000, bool), WORDS)
    n_masks = []
    for seed in range(40):
        noised = noise_document(ids, config, tokens, np.random.default_rng(seed)).tolist()
        kept = [i for i in noised if i != MASK]
        n_masks.append(len(noised) - len(kept))
        whole = [word for word in words if len(word) > 1 and word[1] in kept]
        assert all(i in kept for word in whole for i in word)  # no word is cut
        assert sum(i < 100 for i in kept) == 400 - 140
    # 140 words in spans of 3.5 on average, empty ones included.
    assert np.mean(n_masks) == pytest.approx(40, abs=1.5)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(0, 9))
def test_infilling_words_makes_no_text_longer(begins, share, seed):
    ids = np.where(begins, 5, 200) + np.arange(len(begins))
    config = DenoisingConfig(**NO_NOISE | {"infilled": share}, whole_words=True)
    tokens = DenoisingTokens(MASK, np.zeros(3000, bool), WORDS)
    assert len(noise_document(ids, config, tokens, np.random.default_rng(seed))) <= len(ids)
