"""Which field of a file each column of a task is read from."""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.rows import Key, Row
from pellucid.data.values import is_number
from pellucid.errors import ConfigError


class Fields(NamedTuple):
    """From which field each column of a task is read."""

    keys: tuple[Key | None, ...]
    """One for each column; None: an optional column that the file does not have."""
    header: tuple[str, ...] = ()
    """The names in the first row, where that is a header."""
    n_fields: int = 0
    """How many fields each row must have; 0: any number."""


class UnclearError(Exception):
    """Why columns cannot be assigned to fields; `row` has other fields than expected."""

    def __init__(self, what: str, row: Row | None = None) -> None:
        super().__init__(what)
        self.row = row


class Recognizer:
    """Assigns columns to fields, for all files of a data set alike."""

    def __init__(self, columns: Sequence[Column], config: DataConfig) -> None:
        """Raises: ConfigError if `data.columns` names a column that the task does not read."""
        self.columns = tuple(columns)
        self.required = tuple(column for column in columns if not column.optional)
        self.config = config
        self._by_content: dict[tuple[str, ...], dict[str, int]] = {}
        known = [column.name for column in columns]
        for name in config.columns:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"Did you mean {close[0]}?" if close else f"It reads {', '.join(known)}."
                raise ConfigError(f"data.columns: this task reads no column {name!r}. {hint}")

    def plain(self) -> Fields:
        """Return the fields of plain text: the required columns in order."""
        indices = {column.name: index for index, column in enumerate(self.required)}
        return self._fields(indices)

    def named(self, rows: Sequence[Row]) -> Fields:
        """Return the fields of a format whose fields have names. Raises: UnclearError."""
        names = list(dict.fromkeys(name for row in rows for name in row.fields))
        found = self._match(names)
        self._check_all(found, names)
        return self._fields(found)

    def table(self, rows: Sequence[Row]) -> Fields:
        """Return the fields of a table, with or without a header. Raises: UnclearError."""
        first = [str(field).strip() for field in rows[0].fields]
        numbers = {n: i - 1 for n, i in self.config.columns.items() if isinstance(i, int)}
        matches = {name: first.index(str(key)) for name, key in self._match(first).items()}
        matches |= numbers
        is_named = any(isinstance(key, str) for key in self.config.columns.values())
        missing = [column.name for column in self.required if column.name not in matches]
        if is_named or (len(matches) > len(numbers) and not missing):
            self._check_all(matches, first)
            return self._fields(matches, tuple(first), len(first))
        if len(matches) > len(numbers):  # a header, but not of all columns
            self._check_all(matches, first)
        n_fields = 0 if numbers else self.expected(rows)
        if missing:
            numbers = self._without_header(rows, numbers)
        header = tuple(first) if self._has_numbers_below(rows, numbers) else ()
        return self._fields(numbers, header, n_fields)

    def conll(self, rows: Sequence[Row]) -> Fields:
        """Return the fields of CoNLL: the first is words, the last tags. Raises: UnclearError."""
        n = len(rows[0].fields)
        keys: dict[str, Key] = {}
        for column in self.columns:
            wanted = self.config.columns.get(column.name)
            if isinstance(wanted, int) and wanted <= n:
                keys[column.name] = wanted - 1
            elif wanted is None and column.kind == "words":
                keys[column.name] = 0
            elif wanted is None and column.kind == "tags" and n > 1:
                keys[column.name] = n - 1
        self._check_all(keys, [f"column {i + 1}" for i in range(n)])
        return self._fields(keys)

    def expected(self, rows: Sequence[Row]) -> int:
        """Return how many fields a table without header should have."""
        counts = Counter(len(row.fields) for row in rows)
        most = counts.most_common(1)[0][0]
        return most if most in (len(self.required), len(self.columns)) else len(self.required)

    def _match(self, names: Sequence[str]) -> dict[str, str]:
        """Fields by name: what `data.columns` names, then the columns' own and usual names."""
        folded: dict[str, str] = {}
        for name in names:
            folded.setdefault(_fold(name), name)
        found: dict[str, str] = {}
        for column, wanted in self.config.columns.items():
            if isinstance(wanted, str):
                name = wanted if wanted in names else folded.get(_fold(wanted))
                if name is None:
                    raise UnclearError(f"no field {wanted!r} for {column}. {_list(names)}")
                found[column] = name
        for usual in (False, True):
            for column in self.columns:
                known = self._usual_names(column) if usual else (column.name,)
                free = [folded[n] for n in map(_fold, known) if n in folded]
                free = [name for name in free if name not in found.values()]
                if free and column.name not in found and column.name not in self.config.columns:
                    found[column.name] = free[0]
        return found

    def _usual_names(self, column: Column) -> tuple[str, ...]:
        languages = {
            "source": self.config.source_language,
            "target": self.config.target_language,
            "": "",
        }
        return tuple(filter(None, (*column.usual_names, languages[column.tokenizer])))

    def _check_all(self, keys: dict, names: Sequence[str]) -> None:
        """Raises: UnclearError if a required column, or one in `data.columns`, has no field."""
        missing = [
            column
            for column in self.columns
            if column.name not in keys
            and (not column.optional or column.name in self.config.columns)
        ]
        too_far = [n for n, key in keys.items() if isinstance(key, int) and key >= len(names)]
        if missing or too_far:
            name = missing[0].name if missing else too_far[0]
            raise UnclearError(f"no field for {name}. {_list(names)} {_choose(name)}")

    def _without_header(self, rows: Sequence[Row], numbers: dict[str, int]) -> dict[str, int]:
        """Assign fields without names: by what they hold, then in order."""
        count = self.expected(rows)
        odd = next((row for row in rows if len(row.fields) != count), None)
        if numbers:
            count = Counter(len(row.fields) for row in rows).most_common(1)[0][0]
        elif odd is not None and all(len(row.fields) != count for row in rows):
            raise UnclearError("", odd)
        columns = self.columns if count == len(self.columns) else self.required
        columns = [column for column in columns if column.name not in numbers]
        indices = [index for index in range(count) if index not in numbers.values()]
        if len(columns) != len(indices):
            names = [f"column {i + 1}" for i in range(count)]
            self._check_all({**numbers}, names)
        layout = (str(count), *(column.name for column in columns))
        if layout not in self._by_content:
            body = [row for row in rows if len(row.fields) == count]
            self._by_content[layout] = assign_by_content(columns, indices, body)
        return numbers | self._by_content[layout]

    def _has_numbers_below(self, rows: Sequence[Row], keys: dict[str, int]) -> bool:
        """Whether a column of numbers begins with something else: then row 1 is a header."""
        kinds = {column.name: column.kind for column in self.columns}
        for name, key in keys.items():
            if kinds[name] in ("score", "label"):
                first, *values = [row.fields[key] for row in rows if key < len(row.fields)]  # type: ignore[index]
                if values and not is_number(first) and all(map(is_number, values)):
                    return True
        return False

    def _fields(self, keys: dict, header: tuple[str, ...] = (), count: int = 0) -> Fields:
        return Fields(tuple(keys.get(column.name) for column in self.columns), header, count)


def assign_by_content(
    columns: Sequence[Column], indices: Sequence[int], rows: Sequence[Row]
) -> dict[str, int]:
    """Assign as many fields as columns: a score is a number, a label one of few values.

    What is left is assigned in order.  Raises: UnclearError.
    """
    keys: dict[str, int] = {}
    body = rows[1:] or rows  # the first may be a header
    values = {i: [str(row.fields[i]) for row in body] for i in indices}  # type: ignore[index]
    if len(columns) > 1:
        for column in columns:
            free = [i for i in indices if i not in keys.values()]
            if column.kind == "score":
                keys[column.name] = _score_field(column, free, values)
            elif column.kind == "label":
                keys[column.name] = _label_field(column, free, values)
    rest = [i for i in indices if i not in keys.values()]
    others = [column.name for column in columns if column.name not in keys]
    return keys | dict(zip(others, rest, strict=True))


def _score_field(column: Column, free: Sequence[int], values: dict[int, list[str]]) -> int:
    numeric = [i for i in free if all(map(is_number, values[i]))]
    if numeric:
        return numeric[-1]  # usual where several are: the score comes last
    raise UnclearError(f"no field of numbers for {column.name}. {_choose(column.name)}")


def _label_field(column: Column, free: Sequence[int], values: dict[int, list[str]]) -> int:
    fewest, *others = sorted(free, key=lambda i: len(set(values[i])))
    if not others or 2 * len(set(values[fewest])) <= len(set(values[others[0]])):
        return fewest
    words = [i for i in free if not any(" " in value.strip() for value in values[i])]
    if len(words) == 1:
        return words[0]
    raise UnclearError(
        f"no field has clearly fewer values, for {column.name}. {_choose(column.name)}"
    )


def _choose(column: str) -> str:
    return f"Choose one with data.columns: {column}=NAME, or its number from 1."


def _fold(name: str) -> str:
    return name.strip().casefold().replace("-", "_").replace(" ", "_")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:20])
    return f"The fields are: {shown}{', ...' if len(names) > 20 else ''}."
