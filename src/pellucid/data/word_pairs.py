"""Pairs of words and contexts for skip-gram: pure functions of ids and a random generator."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class WordPairs(NamedTuple):
    """Words, and words near them."""

    words: np.ndarray  # (N,) ids
    contexts: np.ndarray  # (N,) ids


def subsample(
    ids: np.ndarray, counts: np.ndarray, threshold: float, rng: np.random.Generator
) -> np.ndarray:
    """Return which words to keep: ids (n,), counts (V,) -> (n,), True = keep.

    A word with a share f of all counts is left out with probability 1 - sqrt(threshold / f).
    Source: Mikolov et al. 2013b, equation 5.
    """
    if not threshold:
        return np.ones(len(ids), bool)
    shares = counts[ids] / counts.sum()
    return rng.random(len(ids)) < np.sqrt(threshold / np.maximum(shares, 1e-300))


def draw_pairs(texts: Sequence[np.ndarray], window: int, rng: np.random.Generator) -> WordPairs:
    """Return each word with each word at most a drawn distance away in the same text.

    The distance is drawn for each word, uniformly from 1 to `window`.
    Source: Mikolov et al. 2013a, section 3.2.
    """
    ids = np.concatenate(texts)
    text_of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    reach = rng.integers(1, window + 1, len(ids))
    words, contexts = [], []
    for distance in range(1, window + 1):
        same = text_of[distance:] == text_of[:-distance]  # (n - distance,)
        left, right = ids[:-distance], ids[distance:]
        from_left, from_right = (
            same & (r >= distance) for r in (reach[:-distance], reach[distance:])
        )
        words += [left[from_left], right[from_right]]
        contexts += [right[from_left], left[from_right]]
    return WordPairs(np.concatenate(words), np.concatenate(contexts))


def draw_negatives(
    shape: tuple[int, int], counts: np.ndarray, power: float, rng: np.random.Generator
) -> np.ndarray:
    """Return ids drawn in proportion to counts (V,) ** power.

    Source: Mikolov et al. 2013b, section 2.2: the power 3/4.
    """
    weights = np.where(counts > 0, counts.astype(np.float64) ** power, 0.0)
    sums = weights.cumsum()
    drawn = np.searchsorted(sums, rng.random(shape) * sums[-1], side="right")
    return np.minimum(drawn, np.flatnonzero(weights)[-1])
