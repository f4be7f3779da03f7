"""Span corruption: spans of a text are replaced by sentinels, and are the target (T5)."""

from typing import NamedTuple

import numpy as np


class SpanSettings(NamedTuple):
    """How much of a text is corrupted."""

    share: float
    """Share of the tokens in corrupted spans."""
    mean_length: float
    """Mean length of a span in tokens."""


class CorruptedLengths(NamedTuple):
    """Tokens of a corrupted text and of its target, without the special tokens of the tokenizer."""

    source: int
    target: int


class CorruptedText(NamedTuple):
    """A text with sentinels in place of spans, and the spans after their sentinels."""

    source: np.ndarray
    target: np.ndarray


def corrupt_spans(
    ids: np.ndarray, settings: SpanSettings, sentinels: np.ndarray, rng: np.random.Generator
) -> CorruptedText:
    """Replace spans of a text by sentinels.

    ids: (N,), at least 2 tokens. sentinels: the ids of different special tokens, one more than
    there are spans. Between two spans is at least one token; all such choices of spans are equally
    likely. (In the released code of T5 the last span always ends the text.) The target ends with
    one more sentinel.  Source: Raffel et al. 2020, section 3.1.4 and figure 2.
    """
    n_corrupted, n_spans = count_spans(len(ids), settings)
    corrupted = _split_randomly(n_corrupted, n_spans, rng)
    kept = _split_randomly(len(ids) - n_corrupted + 2, n_spans + 1, rng)
    kept[[0, -1]] -= 1  # the text may begin or end with a span
    ends = np.stack((kept[:-1], corrupted), axis=1).ravel().cumsum()
    *parts, last = np.split(ids, ends)
    marks = sentinels[: n_spans + 1, None]
    source = [part for pair in zip(parts[::2], marks[:-1], strict=True) for part in pair]
    target = [part for pair in zip(marks[:-1], parts[1::2], strict=True) for part in pair]
    return CorruptedText(np.concatenate((*source, last)), np.concatenate((*target, marks[-1])))


def count_spans(n_tokens: int, settings: SpanSettings) -> tuple[int, int]:
    """Return the number of corrupted tokens of a text, and of their spans; both are at least 1."""
    n_corrupted = min(max(round(n_tokens * settings.share), 1), n_tokens - 1)
    n_spans = max(round(n_corrupted / settings.mean_length), 1)
    return n_corrupted, min(n_spans, n_corrupted, n_tokens - n_corrupted + 1)


def corrupted_lengths(n_tokens: int, settings: SpanSettings) -> CorruptedLengths:
    """Return the lengths that `corrupt_spans` gives for a text of `n_tokens` tokens."""
    n_corrupted, n_spans = count_spans(n_tokens, settings)
    return CorruptedLengths(n_tokens - n_corrupted + n_spans, n_corrupted + n_spans + 1)


def raw_length(max_source: int, settings: SpanSettings) -> int:
    """Return the most tokens of a text whose corrupted source has at most `max_source` tokens."""
    n = 2
    while corrupted_lengths(n + 1, settings).source <= max_source:
        n += 1
    return n


def _split_randomly(n_items: int, n_parts: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sizes (n_parts,) of a random partition of items into nonempty parts."""
    cuts = np.sort(rng.choice(n_items - 1, n_parts - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=n_items)
