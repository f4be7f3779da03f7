"""What passes from records to a training task: encoded examples, and the held-out part."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from pellucid.data.records import Record

CHUNK_RECORDS = 2048
CHUNK_CHARACTERS = 1 << 20
"""Records are tokenized together up to these bounds, so that memory does not grow with the data."""


class Encoded(NamedTuple):
    """One example as a task stores it."""

    columns: tuple[np.ndarray, ...]
    """One-dimensional, of 32-bit integers or floats; as many in every example of a task."""
    lengths: tuple[int, ...]
    """Tokens on each side, with the special tokens that `collate` adds: what batches weigh."""
    record: Record
    """The record that it was made from."""


class LeftOut(NamedTuple):
    """A record that gives no example, and why, in a word or two that are the same for all alike."""

    reason: str


class Examples(Protocol):
    """Encoded examples by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...

    @property
    def lengths(self) -> np.ndarray:
        """(N, sides) tokens of each example, special tokens included."""
        ...

    def origin(self, index: int) -> str:
        """The file and line that example `index` was made from, as `file:line`."""
        ...


class InMemory:
    """Examples of a few records, that are kept in memory."""

    def __init__(self, examples: Sequence[Encoded]) -> None:
        self._examples = examples
        self.lengths = np.array([each.lengths for each in examples], np.int32)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return self._examples[index].columns

    def origin(self, index: int) -> str:
        record = self._examples[index].record
        return f"{record.file}:{record.line}"


@dataclass(frozen=True)
class HeldOut:
    """What a task is validated on."""

    examples: Examples
    records: Sequence[Record]


class TrainingData(NamedTuple):
    """What a task is trained and validated on."""

    train: Examples
    held_out: HeldOut


def chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Records in lists that are tokenized at once."""
    chunk: list[Record] = []
    characters = 0
    for record in records:
        chunk.append(record)
        characters += size_of(record)
        if len(chunk) == CHUNK_RECORDS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def size_of(record: Record) -> int:
    """Characters of a record's texts, about."""
    return sum(len(value) for value in record.values if isinstance(value, (str, tuple)))
