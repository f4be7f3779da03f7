"""Holding out a part of the records that training must not see."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from pellucid.config.columns import Column
from pellucid.data.records import Record
from pellucid.errors import DataError

MOST_HELD_OUT = 1000
SHARE = 20
"""At most one record in this many is held out."""
SEED = 1
"""Not the run's: runs of several seeds are compared on one validation set."""
TEXTS = ("text", "words", "document")


@dataclass(frozen=True)
class Split:
    """Records for validation; none of their texts is left for training, in whichever column."""

    records: tuple[Record, ...]
    columns: tuple[int, ...]
    """Which columns hold texts."""
    texts: frozenset[tuple[int, str]]
    """A column and a text in it, case and spacing ignored."""

    def training(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records to train on."""
        for record in records:
            if not any((i, _key(record, i)) in self.texts for i in self.columns):
                yield record


def n_held_out(n_records: int) -> int:
    """How many records are held out where no validation files are named."""
    return max(1, min(MOST_HELD_OUT, n_records // SHARE))


def hold_out(records: Iterable[Record], columns: Sequence[Column], n: int) -> Split:
    """Choose n different texts of the first text column by hash, each with its first record.

    A function of the set of texts and n: the order of the files does not change which are chosen.
    Memory grows with n alone. Raises: DataError if fewer than 2 n texts differ.
    """
    texts = tuple(i for i, column in enumerate(columns) if column.kind in TEXTS)
    chosen: dict[bytes, Record] = {}
    worst: list[bytes] = []  # a heap, the largest hash first
    for record in records:
        key = _key(record, texts[0]).encode()
        rank = blake2b(key, digest_size=16, salt=SEED.to_bytes(16, "little")).digest()
        if rank in chosen:
            continue
        inverse = bytes(255 - byte for byte in rank)
        if len(chosen) < 2 * n:
            heapq.heappush(worst, inverse)
            chosen[rank] = record
        elif inverse > worst[0]:
            out = heapq.heapreplace(worst, inverse)
            del chosen[bytes(255 - byte for byte in out)]
            chosen[rank] = record
    if len(chosen) < 2 * n:
        raise DataError(
            f"only {len(chosen)} different texts in column {columns[texts[0]].name}, too few to"
            f" hold out {n} of them for validation. Name a validation set: --data.valid FILE."
        )
    held = tuple(chosen[rank] for rank in sorted(chosen)[:n])
    keys = frozenset((i, _key(record, i)) for record in held for i in texts)
    return Split(held, texts, keys)


def _key(record: Record, column: int) -> str:
    """The text of a column; texts that differ by case or spacing alone are one."""
    value = record.values[column]
    text = " ".join(value) if isinstance(value, tuple) else value or ""
    return " ".join(text.casefold().split())
