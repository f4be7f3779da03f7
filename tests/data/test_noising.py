"""Noise. Authority: the numbers of the papers, and each property by its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.noising import MaskingShares, MaskingTokens, mask_tokens

BERT = MaskingShares(0.15, 0.8, 0.1)  # Devlin et al. 2019, section 3.1
TOKENS = MaskingTokens(4, np.arange(5, 1000))


def noise(ids, is_text, shares=BERT, seed=0):
    return mask_tokens(ids, is_text, shares, TOKENS, np.random.default_rng(seed))


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


def test_random_tokens_are_drawn_evenly_and_are_never_special():
    ids = np.full((200, 500), 7)
    noised, chosen = noise(ids, np.ones(ids.shape, bool), MaskingShares(0.9, 0.0, 1.0))
    counts = np.bincount(noised[chosen], minlength=1000)
    assert counts[:5].sum() == 0
    n = chosen.sum() / 995  # in each bin: 90.5 expected, sigma 9.5
    assert abs(counts[5:] - n).max() < 5 * n**0.5


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 5), st.floats(0.01, 0.99))
def test_only_text_is_chosen_and_every_row_has_some(n_rows, width, seed, share):
    rng = np.random.default_rng(seed)
    ids, is_text = rng.integers(5, 1000, (n_rows, width)), rng.random((n_rows, width)) < 0.7
    noised, chosen = noise(ids, is_text, MaskingShares(share, 0.8, 0.1), seed)
    assert not (chosen & ~is_text).any()
    assert (noised[~chosen] == ids[~chosen]).all()
    n_text = is_text.sum(axis=1)
    wanted = np.minimum(np.maximum(np.rint(n_text * share), 1), n_text)
    assert (chosen.sum(axis=1) == wanted).all()


@pytest.mark.parametrize("other", [1, 2])
def test_a_function_of_the_generator(other):
    ids = np.arange(5, 205).reshape(4, 50)
    first, second = (noise(ids, np.ones(ids.shape, bool), seed=0) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (noise(ids, np.ones(ids.shape, bool), seed=other)[1] != first[1]).any()
