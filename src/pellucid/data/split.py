"""Hold out records for validation."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from pellucid.config.columns import Column
from pellucid.data.records import Record
from pellucid.errors import DataError

MAX_HELD_OUT = 1000
SHARE = 20
"""At most one of this many records is held out."""
SEED = 1
"""Independent of the run's seed, so that runs with different seeds have one validation set."""
NAME_VALID = "Name a validation set: --data.valid FILE."
NOTHING_LEFT = (
    "every example has a text of those that are held out for validation, so that none is left to"
    f" train on. {NAME_VALID}"
)
TEXTS = ("text", "words", "document")


@dataclass(frozen=True)
class Split:
    """Held-out records and their texts, which must not occur in training records."""

    records: tuple[Record, ...]
    columns: tuple[int, ...]
    """Indices of the columns with texts."""
    texts: frozenset[tuple[int, str]]
    """(column, text) of the held-out records, ignoring case and spacing."""

    def training(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records without a held-out text; what follows such a part begins a document."""
        follows = True
        for record in records:
            if self.texts.isdisjoint(text_keys(record, self.columns)):
                yield record if follows else record._replace(continues=False)
                follows = True
            else:
                follows = False


def n_held_out(n_records: int) -> int:
    """Return the number of records to hold out if there are no validation files."""
    return max(1, min(MAX_HELD_OUT, n_records // SHARE))


class HoldOut:
    """Selects distinct texts of the first text column by hash, each with its first record.

    The selection depends on the set of texts, not on their order. Where answers are spans of a
    text, that is the text, and all of its questions are held out: they cannot be trained on.
    """

    def __init__(self, columns: Sequence[Column], max_held_out: int = MAX_HELD_OUT) -> None:
        """max_held_out: largest n of `split`. Memory depends only on it."""
        self.columns = text_columns(columns)
        self.has_spans = any(column.kind == "span" for column in columns)
        self.by = self.columns[-1 if self.has_spans else 0]
        self.name = columns[self.by].name
        self.capacity = 2 * max_held_out
        self._chosen: dict[bytes, list[Record]] = {}
        self._worst: list[bytes] = []  # a heap, the largest hash first

    def add(self, record: Record) -> None:
        """Add a record to those from which `split` selects."""
        key = _key(record, self.by).encode()
        rank = blake2b(key, digest_size=16, salt=SEED.to_bytes(16, "little")).digest()
        if rank in self._chosen:
            if self.has_spans:
                self._chosen[rank].append(record)
            return
        inverse = bytes(255 - byte for byte in rank)
        if len(self._chosen) < self.capacity:
            heapq.heappush(self._worst, inverse)
            self._chosen[rank] = [record]
        elif inverse > self._worst[0]:
            out = heapq.heapreplace(self._worst, inverse)
            del self._chosen[bytes(255 - byte for byte in out)]
            self._chosen[rank] = [record]

    def split(self, n: int) -> Split:
        """Hold out n records, or fewer if there are fewer than 2 n different texts.

        All questions about a text are held out together, so that there may be some more than n.
        Raises: DataError if all texts are the same.
        """
        n_texts = len(self._chosen)
        if n_texts < 2:
            raise DataError(
                f"only {n_texts} different text in column {self.name}, so none can be held out for"
                f" validation. {NAME_VALID}"
            )
        if n_texts < 2 * n:
            n = max(1, n_texts // SHARE)
        held: list[Record] = []
        for rank in sorted(self._chosen):
            if len(held) < n:  # parts of long documents, each a document of its own
                held += [record._replace(continues=False) for record in self._chosen[rank]]
        keys = (key for record in held for key in text_keys(record, self.columns))
        return Split(tuple(held), self.columns, frozenset(key for key in keys if key[1]))


def text_columns(columns: Sequence[Column]) -> tuple[int, ...]:
    """Return the indices of the columns with texts."""
    return tuple(i for i, column in enumerate(columns) if column.kind in TEXTS)


def text_keys(record: Record, columns: Sequence[int]) -> tuple[tuple[int, str], ...]:
    """Return the texts of a record in the form of `Split.texts`."""
    return tuple((i, _key(record, i)) for i in columns)


def _key(record: Record, column: int) -> str:
    """Return the text of a column with case and spacing normalized."""
    value = record.values[column]
    text = " ".join(value) if isinstance(value, tuple) else value or ""
    return " ".join(text.casefold().split())
