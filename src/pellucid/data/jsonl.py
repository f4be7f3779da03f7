"""JSONL: one JSON object a line."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pellucid.data.lines import Fault, Line, scan_lines
from pellucid.data.rows import Key, Position, Reader, Row

WHITESPACE = " \t\n\r"


class JsonlReader(Reader):
    """The objects of a file, with the names of their values."""

    format = "JSONL"
    layout = "named"

    def __iter__(self) -> Iterator[Row]:
        for line in scan_lines(self.file, self.config.max_line_bytes):
            if line.fault:
                yield Row(line.number, (), (line.fault,), line.carriage)
            elif not line.text.strip():
                yield Row(line.number, (), (), line.carriage)
            else:
                yield self._row(line)

    def locate(self, row: Row, key: Key, character: int = 0) -> Position:
        text, mark = row.raw
        members = {member.name: member for member in _members(text)}
        at = members[str(key)].value if str(key) in members else text.index("{")
        if text.startswith('"', at):
            at += 1
            for _ in range(character):
                at += _escape_length(text, at)
        return Position(self.file, row.line, mark + len(text[:at].encode()) + 1)

    def _row(self, line: Line) -> Row:
        try:
            members = DECODER.decode(line.text)
        except json.JSONDecodeError as error:
            what = f"not JSON ({error.msg}). Each line is one object."
            return self._fault(line, error.pos, what)
        except DoubleKeyError as error:
            names = [member.name for member in _members(line.text)]
            second = [i for i, name in enumerate(names) if name == error.key and name in names[:i]]
            at = list(_members(line.text))[second[0]].start if second else 0
            return self._fault(line, at, f"the key {error.key[:80]!r} comes twice. Keep one.")
        except (RecursionError, ValueError) as error:
            return self._fault(line, 0, f"not usable JSON ({error}). Correct or remove the line.")
        if not isinstance(members, dict) or not members:
            what = 'not a JSON object with values. Each line is one: {"name": value}.'
            return self._fault(line, 0, what)
        return Row(line.number, members, (), line.carriage, (line.text, line.mark))

    def _fault(self, line: Line, index: int, what: str) -> Row:
        byte = line.mark + len(line.text[:index].encode()) + 1
        fault = Fault(self.file, line.number, byte, "malformed", what)
        return Row(line.number, (), (fault,), line.carriage)


class DoubleKeyError(Exception):
    """Raised by `DECODER` for an object that has a key twice."""

    def __init__(self, key: str, members: list[tuple[str, Any]]) -> None:
        super().__init__(key)
        self.key, self.members = key, members


class _Member(NamedTuple):
    name: str
    start: int  # index of the name's first quote
    value: int  # index of the value's first character


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for key, value in members:
        if key in known:
            raise DoubleKeyError(key, members)
        known[key] = value
    return known


def _raise_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_raise_constant)
"""Raises: ValueError if a text is not JSON or has NaN or infinity; DoubleKeyError."""


def _members(text: str) -> Iterator[_Member]:
    """Yield the members of a valid JSON object, with their positions in the text."""
    decoder = json.JSONDecoder()
    at = _skip(text, text.index("{") + 1)
    while text.startswith('"', at):
        start = at
        name, at = decoder.raw_decode(text, at)
        value = _skip(text, _skip(text, at) + 1)
        yield _Member(name, start, value)
        _, at = decoder.raw_decode(text, value)
        at = _skip(text, _skip(text, at) + 1)  # after the comma


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at


def _escape_length(text: str, at: int) -> int:
    """Return how many characters of JSON spell the one character that begins here."""
    if text[at] != "\\":
        return 1
    if text[at + 1] != "u":
        return 2
    pair = text[at + 2 : at + 3] in "dD" and text[at + 3 : at + 4] in "89abAB"
    low = text[at + 6 : at + 8] == "\\u" and text[at + 8] in "dD" and text[at + 9] in "cdefCDEF"
    return 12 if pair and low else 6
