"""Documents joined to one stream of tokens, and cut into blocks and windows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pellucid.data.records import Record


class Block(NamedTuple):
    """Consecutive tokens of the stream."""

    previous: int
    """The token before them."""
    ids: np.ndarray  # (T,)
    record: Record
    """The record of the first one."""


def pack(
    documents: Iterable[tuple[np.ndarray, Record]], size: int, first: int | None
) -> Iterator[Block]:
    """Yield the tokens of all documents in blocks of `size`; the last block may be shorter.

    first: the token before the first document; None if it has none: its first token is never
    predicted then.
    """
    previous, parts, n = first, list[np.ndarray](), 0
    begins_in: Record | None = None
    for ids, record in documents:
        if previous is None and len(ids):
            previous, ids = int(ids[0]), ids[1:]
        while len(ids):
            begins_in = begins_in or record
            parts.append(ids[: size - n])
            n += len(parts[-1])
            ids = ids[len(parts[-1]) :]
            if n == size:
                assert previous is not None
                yield Block(previous, np.concatenate(parts), begins_in)
                previous, parts, n, begins_in = int(parts[-1][-1]), [], 0, None
    if n:
        assert previous is not None
        assert begins_in is not None
        yield Block(previous, np.concatenate(parts), begins_in)


class Stream:
    """A stream of tokens (N + 1,), of which all but the first are predicted.

    A document with a control code begins with it. A window that begins inside such a document
    begins with its code too, in place of the token before (Keskar et al. 2019).
    """

    def __init__(
        self, ids: np.ndarray, codes: frozenset[int] = frozenset(), end: int | None = None
    ) -> None:
        """codes: the tokens of all control codes. end: the token after each document, if any."""
        self.ids = ids
        is_code = np.isin(ids, list(codes)) if codes else []
        self._codes = np.flatnonzero(is_code)  # where a document begins
        self._ends = np.flatnonzero(ids == end) if codes and end is not None else self._codes[:0]

    def __len__(self) -> int:
        return len(self.ids) - 1

    def window(self, begin: int, end: int) -> np.ndarray:
        """Return the tokens begin .. end - 1 of those that are predicted, and the one before."""
        ids = self.ids[begin : end + 1].astype(np.int64)
        code = _last_up_to(begin + 1, self._codes)
        if code is not None and code != begin + 1:
            ended = _last_up_to(begin, self._ends)
            if ended is None or ended < code:  # else it begins in a later document without code
                ids[0] = self.ids[code]
        return ids


def _last_up_to(index: int, ascending: np.ndarray) -> int | None:
    """Return the last of some positions that is at most `index`."""
    n = int(np.searchsorted(ascending, index, side="right"))
    return int(ascending[n - 1]) if n else None


class Window(NamedTuple):
    """A part of a stream that is read at once."""

    begin: int
    end: int
    scored_from: int
    """The first token that no earlier window has scored."""


def slide_windows(n: int, size: int, stride: int) -> Iterator[Window]:
    """Yield windows of at most `size` tokens, `stride` apart, that score each of n tokens once.

    All tokens but the first `size` have at least size - stride tokens before them.
    """
    scored = 0
    for begin in range(0, n, stride):
        end = min(begin + size, n)
        yield Window(begin, end, scored)
        scored = end
        if end == n:
            return
