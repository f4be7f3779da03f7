"""Encoded examples: the training and validation data of a task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from pellucid.data.records import Record

CHUNK_RECORDS = 2048
CHUNK_CHARACTERS = 1 << 20
"""Most records and characters tokenized at once, so that memory does not grow with the data."""


class Encoded(NamedTuple):
    """One example as a task stores it."""

    columns: tuple[np.ndarray, ...]
    """1-D arrays of int32 or float32; their number is the same for all examples of a task."""
    lengths: tuple[int, ...]
    """Tokens on each side, special tokens of `collate` included; batches are sized by them."""
    record: Record
    """The record that was encoded."""


class LeftOutRecord(NamedTuple):
    """A record that gives no example. `reason` is a short phrase by which records are counted."""

    reason: str


class Examples(Protocol):
    """A sequence of encoded examples."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...

    @property
    def lengths(self) -> np.ndarray:
        """(N, sides), number of tokens of each example, special tokens included."""
        ...

    def origin(self, index: int) -> str:
        """The `file:line` of the record of example `index`."""
        ...


class InMemoryExamples:
    """Examples in memory, for a few records."""

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
class ValidationData:
    """The examples and records that a task is validated on."""

    examples: Examples
    records: Sequence[Record]


class TrainingData(NamedTuple):
    """The data of a training."""

    train: Examples
    validation: ValidationData


def split_into_chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield lists of records to tokenize at once."""
    chunk: list[Record] = []
    characters = 0
    for record in records:
        chunk.append(record)
        characters += count_characters(record)
        if len(chunk) == CHUNK_RECORDS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def count_characters(record: Record) -> int:
    """Return the approximate number of characters of a record."""
    return sum(len(value) for value in record.values if isinstance(value, (str, tuple)))
