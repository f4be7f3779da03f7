"""Changed texts for training: pure functions of ids and a random generator."""

from collections.abc import Sequence

import numpy as np

MIN_SPAN = 3
"""Pieces of a span at least, if the text has as many."""


def draw_spans(
    texts: Sequence[tuple[np.ndarray, np.ndarray]], n: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return n random spans of each text; of a pair, a span of both.

    The length is uniform, then the position. An empty second text stays empty.
    """
    return [
        (_draw_span(first, rng), _draw_span(second, rng))
        for _ in range(n)
        for first, second in texts
    ]


def drop_words(
    texts: Sequence[tuple[np.ndarray, np.ndarray]],
    share: float,
    unknown: int,
    rng: np.random.Generator,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the texts with a random share of their pieces replaced by the id `unknown`.

    Source: Iyyer et al. 2015, section 3.1 (word dropout), where words are left out.
    """
    return [
        (_drop_words(first, share, unknown, rng), _drop_words(second, share, unknown, rng))
        for first, second in texts
    ]


def _draw_span(ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    length = rng.integers(min(MIN_SPAN, len(ids)), len(ids) + 1)
    start = rng.integers(0, len(ids) - length + 1)
    return ids[start : start + length]


def _drop_words(
    ids: np.ndarray, share: float, unknown: int, rng: np.random.Generator
) -> np.ndarray:
    return np.where(rng.random(len(ids)) < share, np.asarray(unknown, ids.dtype), ids)
