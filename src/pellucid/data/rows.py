"""Rows of files, before their fields are assigned to columns."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from pellucid.config.data import DataConfig
from pellucid.data.lines import Fault

Key = int | str
"""A field of a row: its index, or its name where the format has names."""


class Row(NamedTuple):
    """One row of a file; `fields` is empty where the row is blank or has faults."""

    line: int  # counted from 1
    fields: Sequence[Any] | Mapping[str, Any] = ()
    faults: tuple[Fault, ...] = ()
    carriages: int = 0
    """Carriage returns before a newline that were dropped."""
    raw: Any = None
    """Data of the reader for `locate`."""
    continues: bool = False
    """Whether the row continues the document of the previous row."""


class Position(NamedTuple):
    """A position in a file. Line and byte count from 1; byte 0 means the entire line."""

    file: str
    line: int
    byte: int


Layout = Literal["plain", "table", "named", "conll", "conllu"]
"""How the fields of a format are distinguished: texts in the order of the columns, fields by number
or header, fields by name, or the columns of CoNLL or CoNLL-U."""
CONLLU_COLUMNS = 10
"""A file of another number of columns has those of CoNLL."""
SAMPLE: dict[Layout, int] = {"plain": 0, "table": 1000, "named": 1000, "conll": 1, "conllu": 1}
"""Number of rows from which the fields of a file are recognized."""


class Reader(ABC):
    """The rows of one file (or of two aligned files) of a format."""

    format: ClassVar[str]  # as users call it
    layout: ClassVar[Layout] = "plain"

    def __init__(self, file: str, config: DataConfig) -> None:
        self.file = file
        self.config = config

    @abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Read the file once. A fault of the file itself is a row too."""

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        """Return where a character of a field is in the file."""
        return Position(self.file, row.line, 0)

    def malformed(self, row: Row, key: Key, what: str, character: int = 0) -> Fault:
        """Return the fault of a field."""
        return Fault(*self.locate(row, key, character), "malformed", what)


def byte_in_line(text: str, index: int, mark: int = 0) -> tuple[int, int]:
    """Return the line (counted from 0) and byte (from 1) of a character of a text.

    mark: bytes of a byte order mark before the text.
    """
    line = text.count("\n", 0, index)
    start = text.rfind("\n", 0, index) + 1
    return line, len(text[start:index].encode()) + 1 + (0 if line else mark)
