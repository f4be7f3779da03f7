"""Noise for training objectives: pure functions of ids and a random generator."""

from typing import NamedTuple

import numpy as np


class MaskingShares(NamedTuple):
    """Fractions of the chosen tokens."""

    masked: float
    """Fraction to replace with the mask token."""
    random: float
    """Fraction to replace with a random token; the rest is not changed."""


class MaskingTokens(NamedTuple):
    """Replacements for hidden tokens."""

    mask: int
    """The id of the mask token."""
    regular: np.ndarray
    """Ids of random tokens: all except special tokens."""


def choose_tokens(is_text: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Choose tokens for a model to predict.

    is_text: (B, T), True where a token may be chosen. Each row has its share chosen, rounded, and
    at least one token. Returns (B, T), True where a token is chosen.
    Source: Devlin et al. 2019, section 3.1.
    """
    draws = np.where(is_text, rng.random(is_text.shape), 2.0)
    rank = draws.argsort(axis=1).argsort(axis=1)  # (B, T), 0 = drawn first
    return rank < _count_chosen(is_text, share)[:, None]


def choose_words(
    is_text: np.ndarray, words: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Choose whole words for a model to predict, as `choose_tokens` chooses tokens.

    words: (B, T), the number of each token's word in its row. Words are drawn until their tokens
    are the row's share; a word that would exceed it is skipped, unless it would be the only one.
    Source: the released code of BERT, "whole word masking".
    """
    chosen = np.zeros_like(is_text)
    for row, budget in enumerate(_count_chosen(is_text, share)):
        columns = np.flatnonzero(is_text[row])
        if not len(columns):
            continue
        cuts = np.flatnonzero(np.diff(words[row, columns])) + 1
        tokens_by_word = np.split(columns, cuts)
        order = rng.permutation(len(tokens_by_word))
        for i in order:
            if len(tokens_by_word[i]) <= budget:
                chosen[row, tokens_by_word[i]] = True
                budget -= len(tokens_by_word[i])
            if not budget:
                break
        if not chosen[row].any():
            chosen[row, tokens_by_word[order[0]]] = True
    return chosen


def replace_chosen(
    ids: np.ndarray,
    chosen: np.ndarray,
    shares: MaskingShares,
    tokens: MaskingTokens,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return ids (B, T) in which chosen tokens (B, T) are masked, replaced or not changed.

    Each token is drawn independently.  Source: Devlin et al. 2019, section 3.1.
    """
    draw = rng.random(ids.shape)
    masked = chosen & (draw < shares.masked)
    replaced = chosen & ~masked & (draw < shares.masked + shares.random)
    noised = np.where(masked, tokens.mask, ids)
    noised[replaced] = rng.choice(tokens.regular, int(replaced.sum()))
    return noised


def _count_chosen(is_text: np.ndarray, share: float) -> np.ndarray:
    """Return the number of tokens to choose in each row, (B,)."""
    n_text = is_text.sum(axis=1)
    return np.minimum(np.maximum(np.rint(n_text * share), 1), n_text).astype(np.int64)
