"""Describe how data files were read, for users to check before training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.fields import Fields
from pellucid.data.files import expand_names
from pellucid.data.records import Record, Scanned, scan_records
from pellucid.data.rows import Key, Reader
from pellucid.errors import DataError

N_EXAMPLES = 3


@dataclass(frozen=True)
class Recognized:
    """The field from which each column is read, with the first examples."""

    files: tuple[str, ...]
    reader: Reader
    columns: tuple[Column, ...]
    fields: Fields
    examples: tuple[Record, ...]

    def describe(self) -> list[str]:
        """Return lines of a readable description: the columns and three examples."""
        fields, files = self.fields, " and ".join(self.files)
        if len(self.files) > 2:
            files = f"{self.files[0]} and {len(self.files) - 1} more"
        header = " with a header" if fields.header else ""
        lines = [f"data: {files}, {self.reader.format}{header}"]
        if self.reader.layout != "plain":
            for column, key in zip(self.columns, fields.keys, strict=True):
                if key is not None:
                    lines.append(f"  {column.name}: {_field_name(key, fields.header)}")
        names = [column.name for column in self.columns]
        for record in self.examples:
            values = zip(names, record.values, strict=True)
            shown = "  ".join(f"{n}={_shorten(v)}" for n, v in values if v is not None)
            lines.append(f"  line {record.line}: {shown}")
        return lines


def recognize(files: Sequence[str], columns: Sequence[Column], config: DataConfig) -> Recognized:
    """Return the fields from which the columns are read, and the first examples.

    Raises: as `read_records` for errors before the third example.
    """
    scanned = scan_records(files, columns, config)
    first: list[Scanned] = []
    while len(first) < N_EXAMPLES and (each := next(scanned, None)):
        if each.faults:
            raise DataError(str(each.faults[0]))
        if each.record is not None:
            first.append(each)
    recognized = describe_fields(first, files, columns)
    if recognized is None:
        raise DataError(f"{', '.join(files)}: there is no example in it. Check the file.")
    return recognized


def describe_fields(
    scanned: Sequence[Scanned], files: Sequence[str], columns: Sequence[Column]
) -> Recognized | None:
    """Return the fields from which these examples were read; None without examples."""
    examples = [(s.record, s.source) for s in scanned if s.record is not None and s.source]
    if not examples:
        return None
    reader, _, fields = examples[0][1]
    records = tuple(record for record, _ in examples[:N_EXAMPLES])
    return Recognized(tuple(expand_names(files)), reader, tuple(columns), fields, records)


def _field_name(key: Key, header: tuple[str, ...]) -> str:
    if isinstance(key, str):
        return repr(key)
    return f"column {key + 1}" + (f" ({header[key]!r})" if header else "")


def _shorten(value: Any) -> str:
    shown = repr(value) if isinstance(value, (str, float)) else " ".join(map(str, value))
    return shown if len(shown) <= 70 else shown[:67] + "..."
