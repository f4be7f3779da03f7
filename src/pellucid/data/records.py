"""Examples of a task from data files: one value for each column, each with its file and line."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.field_contents import UnclearError
from pellucid.data.fields import Fields, Recognizer
from pellucid.data.files import open_files
from pellucid.data.lines import Fault
from pellucid.data.plain_text import MAX_PART_CHARACTERS
from pellucid.data.row_values import FaultError, ValueReader, wrong_count
from pellucid.data.rows import SAMPLE, Position, Reader, Row
from pellucid.errors import DataError


class Record(NamedTuple):
    """One example, as read from a file."""

    file: str
    line: int
    """Counted from 1: the first line of an example of several lines; in Parquet and SQuAD files,
    which have no lines, the number of the row or question."""
    values: tuple[Any, ...]
    """One for each column of the task, in their order; None where an optional one is absent."""
    continues: bool = False
    """Whether this continues the document of the previous record, which was too long for one."""
    id: str = ""
    """The `id` of an object in a JSON file, such as that of a question in a SQuAD file."""

    @property
    def origin(self) -> str:
        """Its `file:line`."""
        return f"{self.file}:{self.line}"


class Records(Protocol):
    """Examples that can be read several times."""

    def __iter__(self) -> Iterator[Record]: ...
    def __len__(self) -> int: ...


class FileRecords:
    """The examples of some files, which are read each time, so that they need no memory."""

    def __init__(self, files: Sequence[str], columns: Sequence[Column], config: DataConfig) -> None:
        self._arguments = (files, columns, config)

    def __iter__(self) -> Iterator[Record]:
        """Read the files. Raises: as `read_records`."""
        return read_records(*self._arguments)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Scanned(NamedTuple):
    """A record or its faults; neither for a blank line."""

    file: str
    line: int
    record: Record | None = None
    faults: tuple[Fault, ...] = ()
    carriages: int = 0
    source: tuple[Reader, Row, Fields] | None = None
    """The reader, row and fields from which it was read."""

    def locate(self, column: int, character: int) -> Position:
        """Return the position in the file of a character of a column."""
        if self.source is None:
            return Position(self.file, self.line, 0)
        reader, row, fields = self.source
        key = fields.keys[column]
        assert key is not None
        return reader.locate(row, key, character)


def read_records(
    files: Sequence[str], columns: Sequence[Column], config: DataConfig
) -> Iterator[Record]:
    """Read the examples of some files, in order, without the blank ones.

    Raises: UsageError or ConfigError at once if the files or settings cannot give these columns;
    DataError naming file, line and byte at the first fault.
    """
    scanned = scan_records(files, columns, config)
    return _without_faults(scanned)


def _without_faults(scan: Iterator[Scanned]) -> Iterator[Record]:
    for scanned in scan:
        if scanned.faults:
            raise DataError(str(scanned.faults[0]))
        if scanned.record is not None:
            yield scanned.record


def scan_records(
    files: Sequence[str], columns: Sequence[Column], config: DataConfig
) -> Iterator[Scanned]:
    """Read all examples of some files, in order: each record, or its faults, or a blank line.

    Raises: UsageError or ConfigError at once if the files or settings cannot give these columns.
    """
    readers, recognizer = open_files(files, columns, config), Recognizer(columns, config)
    return chain.from_iterable(_scan(reader, recognizer) for reader in readers)


def _scan(reader: Reader, recognizer: Recognizer) -> Iterator[Scanned]:
    rows = iter(reader)
    head = list(islice(rows, SAMPLE[reader.layout]))
    filled = [row for row in head if row.fields]
    try:
        fields = recognizer.assign(reader.layout, filled)
    except UnclearError as error:
        yield from (Scanned(reader.file, row.line, None, row.faults) for row in head if row.faults)
        fault = _unclear(reader, filled, recognizer, error)
        yield Scanned(reader.file, fault.line, None, (fault,))
        return
    header = filled[0] if fields.header else None
    values = ValueReader(reader, fields, recognizer.columns)
    for row in chain(head, rows):
        if row is header:
            continue
        scanned = _read(row, values)
        if values.document is None:
            yield scanned
        else:
            yield from _parts(scanned, values.document)


def _unclear(
    reader: Reader, rows: Sequence[Row], recognizer: Recognizer, error: UnclearError
) -> Fault:
    if error.row is not None:
        n = recognizer.expected_length(rows)
        what = f"{len(error.row.fields)} columns instead of {n}. {error}"
        return wrong_count(reader, error.row, n)._replace(what=what)
    return Fault(reader.file, rows[0].line if rows else 0, 0, "columns", str(error))


def _read(row: Row, values: ValueReader) -> Scanned:
    file, source = values.reader.file, (values.reader, row, values.fields)
    if not row.fields:
        return Scanned(file, row.line, None, row.faults, row.carriages)
    try:
        read = values.read(row)
    except FaultError as error:
        return Scanned(file, row.line, None, (error.fault,), row.carriages, source)
    if read is None:
        return Scanned(file, row.line, None, (), row.carriages)
    name = row.fields.get("id") if isinstance(row.fields, Mapping) else None
    record = Record(file, row.line, read, row.continues, "" if name is None else str(name))
    return Scanned(file, row.line, record, (), row.carriages, source)


def _parts(scanned: Scanned, index: int) -> Iterator[Scanned]:
    """Split a document (column `index`) that is too long to be read at once."""
    record = scanned.record
    while record and record.values[index] and len(record.values[index]) > MAX_PART_CHARACTERS:
        text = record.values[index]
        part = text[:MAX_PART_CHARACTERS]
        cut = max(part.rfind("\n"), part.rfind(" ")) + 1 or MAX_PART_CHARACTERS
        yield scanned._replace(record=_with(record, index, text[:cut]))
        record = _with(record, index, text[cut:])._replace(continues=True)
    yield scanned._replace(record=record)


def _with(record: Record, index: int, value: Any) -> Record:
    values = (*record.values[:index], value, *record.values[index + 1 :])
    return record._replace(values=values)
