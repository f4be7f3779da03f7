"""Overlapping windows over a text that is longer than a model reads at once."""

from bisect import bisect_left
from collections.abc import Sequence
from math import inf
from typing import NamedTuple


class WordWindow(NamedTuple):
    """A part of a sentence that is read at once."""

    pieces: range
    """The indices of its pieces."""
    words: range
    """The words with more context here than in any other window."""


def word_windows(
    first: Sequence[int], n_pieces: int, room: int, causal: bool = False
) -> list[WordWindow]:
    """Return windows of at most `room` pieces (0: any number) that share the words of a sentence.

    first: for each word, the index of its first piece. Each window begins at a word, and
    neighbouring windows overlap by about half. The context of a word is the number of pieces before
    it or after it in the window, whichever is smaller; a side on which the sentence ends does not
    count, and with `causal` only the pieces before it count.
    """
    if not room or n_pieces <= room:
        return [WordWindow(range(n_pieces), range(len(first)))]
    starts = [0]
    while starts[-1] + room < n_pieces:
        piece = min(starts[-1] + max(1, room // 2), n_pieces - room)
        word = bisect_left(first, piece)
        if word == len(first):  # the rest is one long word
            break
        starts.append(first[word])
    spans = [range(start, min(start + room, n_pieces)) for start in starts]

    def context(span: range, piece: int) -> float:
        """Return the number of pieces on the shorter side; negative outside the span."""
        before = piece - span.start if span.start else inf
        after = span.stop - 1 - piece
        endless = span.stop == n_pieces or (causal and after >= 0)
        return min(before, inf if endless else after)

    owners: list[int] = []
    at = 0
    for piece in first:
        while at + 1 < len(spans) and context(spans[at + 1], piece) > context(spans[at], piece):
            at += 1
        owners.append(at)
    return [
        WordWindow(span, range(bisect_left(owners, i), bisect_left(owners, i + 1)))
        for i, span in enumerate(spans)
    ]
