"""Encoded examples: the training and validation data of a task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from pellucid.data.records import Record, Records

CHUNK_RECORDS = 2048
CHUNK_CHARACTERS = 1 << 20
"""Maximum records and characters to tokenize at once, which bounds memory."""


class Encoded(NamedTuple):
    """One example as a task stores it."""

    columns: tuple[np.ndarray, ...]
    """1-D arrays of int32 or float32. All examples of a task have the same number of columns."""
    lengths: tuple[int, ...]
    """Number of tokens on each side, with the special tokens that `collate` adds."""
    record: Record
    """The record that was encoded."""
    is_cut: bool = False
    """Whether tokens of the record are in none of its examples."""


class LeftOutRecord(NamedTuple):
    """A record without an example. Records are counted by `reason`, a short phrase."""

    reason: str


class Examples(Protocol):
    """A sequence of encoded examples."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...

    @property
    def lengths(self) -> np.ndarray:
        """(N, sides), number of tokens of each example, with special tokens."""
        ...

    def origin(self, index: int) -> str:
        """Return the `file:line` of the record of an example."""
        ...


class InMemoryExamples:
    """Examples in memory, for a few records."""

    def __init__(self, examples: Sequence[Encoded]) -> None:
        self._examples = examples
        self.lengths = np.array([example.lengths for example in examples], np.int32)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return self._examples[index].columns

    def origin(self, index: int) -> str:
        record = self._examples[index].record
        return record.origin


class ExamplesSubset:
    """Some of the examples."""

    def __init__(self, examples: Examples, indices: np.ndarray) -> None:
        self._examples, self._indices = examples, indices
        self.lengths = examples.lengths[indices]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Any:
        return self._examples[int(self._indices[index])]

    def origin(self, index: int) -> str:
        return self._examples.origin(int(self._indices[index]))


@dataclass(frozen=True)
class ValidationData:
    """The examples and records that a task is validated on."""

    examples: Examples
    records: Records
    list_wrong: bool = False
    """Whether wrong predictions are listed in the details of the metrics."""


class TrainingData(NamedTuple):
    """Training and validation data of a run."""

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
