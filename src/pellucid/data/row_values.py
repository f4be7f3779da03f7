"""The values of a task's columns, from one row of a file."""

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.config.columns import ANSWER_START, Column, is_pair
from pellucid.data.fields import Fields
from pellucid.data.lines import Fault
from pellucid.data.rows import Key, Reader, Row
from pellucid.data.spans import Span, locate_spans
from pellucid.data.values import WrongValueError, is_blank, parser


class FaultError(Exception):
    """Raised for an invalid row."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class ValueReader:
    """Reads the columns of a task from the rows of one file."""

    def __init__(self, reader: Reader, fields: Fields, columns: Sequence[Column]) -> None:
        self.reader, self.fields, self.columns = reader, fields, tuple(columns)
        readers = [parser(column.kind, reader.config) for column in columns]
        self.parts = tuple(zip(columns, fields.keys, readers, strict=True))
        self.is_pair = is_pair(columns)
        self.document = self._index("document")
        self.words = self._index("words")
        self.tags = self._index("tags")
        self.spans = self._index("span")
        names = [column.name for column in columns]
        self.start = names.index(ANSWER_START) if ANSWER_START in names else None

    def read(self, row: Row) -> tuple[Any, ...] | None:
        """Return the values of a row, None if it is blank. Raises: FaultError."""
        if self.fields.n_fields and len(row.fields) != self.fields.n_fields:
            columns = () if self.fields.header else self.columns
            raise FaultError(wrong_count(self.reader, row, self.fields.n_fields, columns))
        raw = [self._field(row, column, key) for column, key, _ in self.parts]
        blank = list(map(is_blank, raw))
        if all(blank):
            return None
        values = []
        for index, (column, key, read) in enumerate(self.parts):
            if not blank[index]:
                try:
                    values.append(read(raw[index]))
                except WrongValueError as error:
                    what = f"{column.name}: {error}"
                    raise FaultError(self._fault(row, key, what, error.character)) from None
            elif column.optional:
                values.append(None)
            elif column.kind == "labels" or (column.kind == "span" and raw[index] is not None):
                values.append(())
            else:
                raise FaultError(self._blank(row, index, raw))
        if self.words is not None and self.tags is not None:
            self._check_tags(row, values)
        if self.spans is not None and values[self.spans] is not None:
            values[self.spans] = self._locate_spans(row, values)
        return tuple(values)

    def _field(self, row: Row, column: Column, key: Key | None) -> Any:
        if key is None:
            return None
        try:
            return row.fields[key]  # type: ignore[index]
        except KeyError:
            if column.optional:
                return None
            what = f"no {key!r} in this object ({', '.join(map(repr, row.fields))})."
        except IndexError:
            what = f"{len(row.fields)} columns: no column {int(key) + 1} for {column.name}."
        last = key if isinstance(row.fields, Mapping) else len(row.fields) - 1
        raise FaultError(self.reader.malformed(row, last, what))

    def _fault(self, row: Row, key: Key | None, what: str, character: int = 0) -> Fault:
        assert key is not None  # what has no field is not read
        return self.reader.malformed(row, key, what, character)

    def _blank(self, row: Row, index: int, raw: Sequence[Any]) -> Fault:
        column, key, _ = self.parts[index]
        assert key is not None
        file = self.reader.locate(row, key).file
        if not self.is_pair:
            what = f"column {column.name} is empty. Fill it in, or remove the line."
            return Fault(file, row.line, 0, "empty", what)
        other = next(str(field) for field in raw if not is_blank(field))
        what = (
            f"the {column.name} is empty and the other side is not ({other[:40]!r}). The sides may"
            " have shifted; else remove the line from both."
        )
        return Fault(file, row.line, 0, "empty on one side", what)

    def _check_tags(self, row: Row, values: Sequence[Any]) -> None:
        assert self.words is not None
        assert self.tags is not None
        words, tags = values[self.words], values[self.tags]
        if tags is not None and words is not None and len(words) != len(tags):
            what = f"{len(tags)} tags for {len(words)} words. Each word needs one tag."
            raise FaultError(self._fault(row, self.fields.keys[self.tags], what))

    def _locate_spans(self, row: Row, values: Sequence[Any]) -> tuple[Span, ...]:
        assert self.spans is not None
        answers = values[self.spans]
        if self.start is not None and (stated := values[self.start]) is not None:
            if not stated.is_integer():
                what = f"{ANSWER_START}: {stated} is not a whole number."
                raise FaultError(self._fault(row, self.fields.keys[self.start], what))
            answers = [(int(stated), text) for _, text in answers]
        try:
            return locate_spans(answers, self._context(values))
        except WrongValueError as error:
            what = f"{self.columns[self.spans].name}: {error}"
            raise FaultError(self._fault(row, self.fields.keys[self.spans], what)) from None

    def _context(self, values: Sequence[Any]) -> str:
        """Return the text that contains the answers: the column `context`, else the first text."""
        named = [i for i, column in enumerate(self.columns) if column.name == "context"]
        return values[named[0] if named else self._kinds().index("text")]

    def _kinds(self) -> list[str]:
        return [column.kind for column in self.columns]

    def _index(self, kind: str) -> int | None:
        kinds = self._kinds()
        return kinds.index(kind) if kind in kinds else None


def wrong_count(reader: Reader, row: Row, count: int, columns: Sequence[Column] = ()) -> Fault:
    """Return the fault of a row that does not have `count` fields.

    columns: columns that `data.columns` could assign to its fields instead.
    """
    n = len(row.fields)
    last = min(n, count) - 1
    what = f"{n} columns instead of {count}. Remove or add separators"
    if columns:
        names = ", ".join(column.name for column in columns if not column.optional)
        what += f"; or choose the columns ({names}) with data.columns, by numbers from 1"
    return reader.malformed(row, last, f"{what}.", len(row.fields[last]))  # type: ignore[index]
