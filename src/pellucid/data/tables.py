"""Tables: TSV without quoting, and CSV by the rules of Python's csv module."""

import csv
from collections import deque
from collections.abc import Iterator

from pellucid.data.lines import Fault, Line, scan_lines
from pellucid.data.rows import Key, Position, Reader, Row, byte_in_line

DELIMITERS = (",", ";", "\t")
QUOTE = '"'
# The module's own limit (131,072 characters a field) is global; `max_line_bytes` is the limit here.
csv.field_size_limit(1 << 30)


class TsvReader(Reader):
    """Fields separated by tabs. Quotes are characters like others."""

    format = "TSV"
    layout = "table"

    def __iter__(self) -> Iterator[Row]:
        for line in scan_lines(self.file, self.config.max_line_bytes):
            if line.fault:
                yield Row(line.number, (), (line.fault,), line.carriage)
            else:
                fields = line.text.split("\t") if line.text.strip() else ()
                yield Row(line.number, fields, (), line.carriage, line.mark)

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        assert isinstance(key, int)
        fields = list(row.fields)
        before = "\t".join([*fields[:key], fields[key][:character]])
        return Position(self.file, row.line, row.raw + len(before.encode()) + 1)


class CsvReader(Reader):
    """Fields separated by commas; by semicolons or tabs where the first line has no comma.

    A field in quotes may hold newlines. Each row has the line on which it begins.
    """

    format = "CSV"
    layout = "table"
    delimiter = DELIMITERS[0]

    def __iter__(self) -> Iterator[Row]:
        lines = scan_lines(self.file, self.config.max_line_bytes)
        again: deque[Line] = deque()  # lines that a quote without end took in
        first = next(lines, None)
        if first is None:
            return
        again.append(first)
        self.delimiter = next((d for d in DELIMITERS if len(_split(first.text, d)) > 1), ",")
        while True:
            used: list[Line] = []
            rows = csv.reader(self._feed(again, lines, used), delimiter=self.delimiter, strict=True)
            try:
                fields = next(rows, None)
                error = ""
            except csv.Error as problem:
                fields, error = [], str(problem)
            if not used:
                return
            if used[-1].fault:
                yield Row(used[-1].number, (), (used[-1].fault,), used[-1].carriage)
                continue
            text = "".join(map(_ended, used))
            if error:
                yield Row(used[0].number, (), (self._fault(used[0], text, error),))
                again.extendleft(reversed(used[1:]))
                continue
            carriages = sum(line.carriage for line in used)
            filled = fields if fields and any(map(str.strip, fields)) else ()
            yield Row(used[0].number, filled, (), carriages, (text, used[0].mark))

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        assert isinstance(key, int)
        text, mark = row.raw
        at = 0
        for _ in range(key):
            at = _field_end(text, at, self.delimiter) + 1
        quoted = text.startswith(QUOTE, at)
        at += quoted
        for _ in range(character):
            at += 2 if quoted and text.startswith(QUOTE * 2, at) else 1
        line, byte = byte_in_line(text, at, mark)
        return Position(self.file, row.line + line, byte)

    def _feed(self, again: deque[Line], lines: Iterator[Line], used: list[Line]) -> Iterator[str]:
        """Give the csv module one line after the other, at most as many bytes as a line may have.

        So a quote that is never closed cannot take the rest of the file into memory.
        """
        size = 0
        while size <= self.config.max_line_bytes:
            line = again.popleft() if again else next(lines, None)
            if line is None:
                return
            used.append(line)
            if line.fault:
                return
            size += len(line.text)
            yield _ended(line)

    def _fault(self, first: Line, text: str, error: str) -> Fault:
        at = 0
        while at < len(text) and not self._is_wrong(text, at):
            at = _field_end(text, at, self.delimiter) + 1
        what = f"not CSV ({error}). Close the quote, and double each quote inside one."
        if at >= len(text):  # all quotes are right
            at = text.find("\r")
            what = "a carriage return outside quotes. Remove it, or put the field in quotes."
        line, byte = byte_in_line(text, at, first.mark)
        return Fault(self.file, first.number + line, byte, "malformed", what)

    def _is_wrong(self, text: str, at: int) -> bool:
        """Whether the quotes of the field at `at` are not closed, or closed before its end."""
        if not text.startswith(QUOTE, at):
            return False
        close = _closing_quote(text, at)
        return close < 0 or text[close + 1 : close + 2] not in (self.delimiter, "\r", "\n", "")


def _split(text: str, delimiter: str) -> list[str]:
    text = text.replace("\r", " ")  # outside quotes it would be an error, which comes later
    return next(csv.reader([text], delimiter=delimiter), [])


def _ended(line: Line) -> str:
    return line.text + ("\r\n" if line.carriage else "\n")


def _field_end(text: str, at: int, delimiter: str) -> int:
    """Return the index after the field of a row that begins at `at`."""
    if text.startswith(QUOTE, at):
        at = _closing_quote(text, at)
    end = text.find(delimiter, at) if at >= 0 else -1
    return len(text) if end < 0 else end


def _closing_quote(text: str, at: int) -> int:
    """Return the index of the quote that closes the one at `at`; -1 if there is none."""
    at = text.find(QUOTE, at + 1)
    while at >= 0 and text.startswith(QUOTE * 2, at):
        at = text.find(QUOTE, at + 2)
    return at
