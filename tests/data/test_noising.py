"""Noise. Authority: the numbers of the papers, and each property by its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.noising import (
    MaskingShares,
    MaskingTokens,
    choose_tokens,
    choose_words,
    replace_chosen,
)

BERT = MaskingShares(0.8, 0.1)  # Devlin et al. 2019, section 3.1
TOKENS = MaskingTokens(4, np.arange(5, 1000))


def noise(ids, is_text, shares=BERT, share=0.15, seed=0):
    rng = np.random.default_rng(seed)
    chosen = choose_tokens(is_text, share, rng)
    return replace_chosen(ids, chosen, shares, TOKENS, rng), chosen


def test_the_shares_are_those_of_bert():
    ids = np.full((400, 200), 7)
    noised, chosen = noise(ids, np.ones(ids.shape, bool))
    assert (chosen.sum(axis=1) == 30).all()  # 15 % of 200 in every row
    n = chosen.sum()
    fates = noised[chosen]
    for share, count in ((0.8, (fates == 4).sum()), (0.1, ((fates != 4) & (fates != 7)).sum())):
        # Binomial: 4 standard deviations. A random token is the old one once in 995 times.
        assert abs(count - share * n) < 4 * (share * (1 - share) * n) ** 0.5 + 2
    assert (noised[~chosen] == 7).all()


def test_random_tokens_are_sampled_evenly_and_are_never_special():
    ids = np.full((200, 500), 7)
    noised, chosen = noise(ids, np.ones(ids.shape, bool), MaskingShares(0.0, 1.0), 0.9)
    counts = np.bincount(noised[chosen], minlength=1000)
    assert counts[:5].sum() == 0
    n = chosen.sum() / 995  # in each bin: 90.5 expected, sigma 9.5
    assert abs(counts[5:] - n).max() < 5 * n**0.5


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 5), st.floats(0.01, 0.99))
def test_only_text_is_chosen_and_every_row_has_some(n_rows, width, seed, share):
    rng = np.random.default_rng(seed)
    ids, is_text = rng.integers(5, 1000, (n_rows, width)), rng.random((n_rows, width)) < 0.7
    noised, chosen = noise(ids, is_text, BERT, share, seed)
    assert not (chosen & ~is_text).any()
    assert (noised[~chosen] == ids[~chosen]).all()
    n_text = is_text.sum(axis=1)
    expected = np.minimum(np.maximum(np.rint(n_text * share), 1), n_text)
    assert (chosen.sum(axis=1) == expected).all()


@pytest.mark.parametrize("other", [1, 2])
def test_a_function_of_the_generator(other):
    ids = np.arange(5, 205).reshape(4, 50)
    first, second = (noise(ids, np.ones(ids.shape, bool), seed=0) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (noise(ids, np.ones(ids.shape, bool), seed=other)[1] != first[1]).any()


def words_of(rng, shape, longest=4):
    """Word numbers of rows whose words have 1 to `longest` tokens."""
    starts = np.zeros(shape, int)
    for row in starts:
        row[np.cumsum(rng.integers(1, longest + 1, shape[1])).clip(max=shape[1] - 1)] = 1
    return starts.cumsum(axis=1)


def test_whole_words_have_the_share_of_bert():
    rng = np.random.default_rng(3)
    words = words_of(rng, (400, 200))
    chosen = choose_words(np.ones(words.shape, bool), words, 0.15, rng)
    for row, word in zip(chosen, words, strict=True):
        assert set(word[row]).isdisjoint(word[~row])  # a word is chosen whole or not at all
    counts = chosen.sum(axis=1)
    assert counts.max() == 30  # 15 % of 200, never more
    assert counts.mean() > 29.9  # the last word is skipped if it is too long
    fates = replace_chosen(np.full(words.shape, 7), chosen, BERT, TOKENS, rng)[chosen]
    n = len(fates)
    for share, count in ((0.8, (fates == 4).sum()), (0.1, ((fates != 4) & (fates != 7)).sum())):
        assert abs(count - share * n) < 4 * (share * (1 - share) * n) ** 0.5 + 2


def test_words_are_sampled_evenly():
    rng = np.random.default_rng(4)
    words = np.repeat(np.arange(50), 2)[None].repeat(4000, 0)
    chosen = choose_words(np.ones(words.shape, bool), words, 0.2, rng)[:, ::2]
    assert (chosen.sum(axis=1) == 10).all()
    # each word in a fifth of the rows: 800 expected, sigma 25
    assert abs(chosen.sum(axis=0) - 800).max() < 5 * 25


def test_a_long_word_alone_is_chosen_and_other_tokens_never():
    rng = np.random.default_rng(5)
    is_text = np.array([[False, True, True, True, True, False], [False] * 6])
    words = np.array([[0, 1, 1, 1, 1, 2], [0] * 6])
    chosen = choose_words(is_text, words, 0.15, rng)
    assert (chosen == is_text).all()
