"""Assign the columns of a task to the fields of a file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.field_contents import UnclearError, assign_by_content, how_to_choose
from pellucid.data.rows import CONLLU_COLUMNS, Key, Layout, Row
from pellucid.data.values import is_blank, is_number
from pellucid.errors import ConfigError


class Fields(NamedTuple):
    """The field from which each column of a task is read."""

    keys: tuple[Key | None, ...]
    """One field per column; None for an optional column that the file does not have."""
    header: tuple[str, ...] = ()
    """The names in the first row, if it is a header."""
    n_fields: int = 0
    """Number of fields that each row must have; 0 means any number."""


class Recognizer:
    """Assigns columns to fields in the same way for all files of a data set."""

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

    def assign(self, layout: Layout, rows: Sequence[Row]) -> Fields:
        """Return the field of each column, given the first rows of a file.

        Raises: UnclearError if fields cannot be assigned with certainty.
        """
        if layout == "plain" or not rows:
            return self._fields({column.name: i for i, column in enumerate(self.required)})
        by_layout = {
            "named": self._assign_by_name,
            "table": self._assign_table,
            "conll": self._assign_conll,
            "conllu": self._assign_conllu,
        }
        return by_layout[layout](rows)

    def _assign_by_name(self, rows: Sequence[Row]) -> Fields:
        """Assign fields of a format with named fields."""
        names = list(dict.fromkeys(name for row in rows for name in row.fields))
        keys = self._match(names, {n: str(key) for n, key in self.config.columns.items()})
        self._check_all(keys, names)
        return self._fields(keys)

    def _assign_table(self, rows: Sequence[Row]) -> Fields:
        """Assign fields of a table with or without a header."""
        first = [str(field).strip() for field in rows[0].fields]
        chosen = self.config.columns.items()
        names = {name: key for name, key in chosen if isinstance(key, str)}
        numbers = {name: key - 1 for name, key in chosen if isinstance(key, int)}
        matches = {name: first.index(key) for name, key in self._match(first, names).items()}
        keys = {**matches, **numbers}
        missing = [column.name for column in self.required if column.name not in keys]
        if names or (matches and not missing):
            self._check_all(keys, first)
            return self._fields(keys, tuple(first), len(first))
        if matches:  # the first row is a header, but not of all columns
            self._check_all(keys, first)
        if missing:
            keys = self._assign_unnamed(rows, numbers)
        self._check_all(keys, _column_names(max(len(row.fields) for row in rows)))
        header = tuple(first) if _has_numbers_below(rows) else ()
        return self._fields(keys, header, 0 if numbers else self.expected_length(rows))

    def _assign_conll(self, rows: Sequence[Row]) -> Fields:
        """Assign fields of CoNLL: the first field is the word, the last the tag."""
        n = len(rows[0].fields)
        return self._assign_numbered(n, 0, n - 1)

    def _assign_conllu(self, rows: Sequence[Row]) -> Fields:
        """Assign fields of CoNLL-U: the second is the word, the fourth its part of speech."""
        n = len(rows[0].fields)
        return self._assign_numbered(n, 1, 3) if n == CONLLU_COLUMNS else self._assign_conll(rows)

    def _assign_numbered(self, n: int, word: int, tag: int) -> Fields:
        """Assign n fields by number, by default one to the words and another to the tags."""
        keys: dict[str, Key] = {}
        for column in self.columns:
            number = self.config.columns.get(column.name)
            if isinstance(number, int) and number <= n:
                keys[column.name] = number - 1
            elif number is None and column.kind == "words":
                keys[column.name] = word
            elif number is None and column.kind == "tags" and tag != word:
                keys[column.name] = tag
        self._check_all(keys, _column_names(n))
        return self._fields(keys)

    def expected_length(self, rows: Sequence[Row]) -> int:
        """Return the expected number of fields of a table without header."""
        length = _usual_length(rows)
        return length if length == len(self.columns) else len(self.required)

    def _match(self, names: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
        """Match columns to fields: by `data.columns`, by the column's name, then by usual names."""
        folded = {_fold(name): name for name in reversed(names)}  # the first of equal names
        keys: dict[str, str] = {}
        for column, key in chosen.items():
            name = key if key in names else folded.get(_fold(key))
            if name is None:
                what = f"data.columns reads {column} from {key!r}, which is not a field."
                raise UnclearError(f"{what} {_list(names)}")
            keys[column] = name
        rest = [column for column in self.columns if column.name not in self.config.columns]
        for usual in (False, True):
            for column in rest:
                known = self._usual_names(column) if usual else (column.name,)
                free = [folded[name] for name in map(_fold, known) if name in folded]
                free = [name for name in free if name not in keys.values()]
                if free and column.name not in keys:
                    keys[column.name] = free[0]
        return keys

    def _usual_names(self, column: Column) -> tuple[str, ...]:
        languages = {
            "source": self.config.source_language,
            "target": self.config.target_language,
            "": "",
        }
        return tuple(filter(None, (*column.usual_names, languages[column.tokenizer])))

    def _check_all(self, keys: Mapping[str, Key], names: Sequence[str]) -> None:
        """Raises: UnclearError if a required column, or one in `data.columns`, has no field."""
        for column in self.columns:
            key = keys.get(column.name)
            is_needed = not column.optional or column.name in self.config.columns
            if (key is None and is_needed) or (isinstance(key, int) and key >= len(names)):
                what = f"no field for {column.name}. {_list(names)}"
                raise UnclearError(f"{what} {how_to_choose(column.name)}")

    def _assign_unnamed(self, rows: Sequence[Row], numbers: dict[str, int]) -> dict[str, int]:
        """Assign fields without names: by content, then in order."""
        n_fields = _usual_length(rows) if numbers else self.expected_length(rows)
        body = [row for row in rows if len(row.fields) == n_fields]
        if not body:
            hint = how_to_choose(self.required[0].name)
            raise UnclearError(f"{_list(list(rows[0].fields))} {hint}", rows[0])
        columns = self.columns if n_fields == len(self.columns) else self.required
        columns = [column for column in columns if column.name not in numbers]
        indices = [index for index in range(n_fields) if index not in numbers.values()]
        if len(columns) != len(indices):
            return numbers
        layout = (str(n_fields), *(column.name for column in columns))
        if layout not in self._by_content:
            self._by_content[layout] = assign_by_content(columns, indices, body)
        return numbers | self._by_content[layout]

    def _fields(
        self, keys: Mapping[str, Key], header: tuple[str, ...] = (), n_fields: int = 0
    ) -> Fields:
        return Fields(tuple(keys.get(column.name) for column in self.columns), header, n_fields)


def _has_numbers_below(rows: Sequence[Row]) -> bool:
    """Whether a field is a number in all rows but the first, which must then be a header."""
    body = [row.fields for row in rows[1:] if len(row.fields) == len(rows[0].fields)]
    return len(body) > 1 and any(
        not is_blank(field)
        and not is_number(field)
        and all(is_number(list(fields)[i]) for fields in body)
        for i, field in enumerate(rows[0].fields)
    )


def _usual_length(rows: Sequence[Row]) -> int:
    return Counter(len(row.fields) for row in rows).most_common(1)[0][0]


def _column_names(n_fields: int) -> list[str]:
    return [f"column {i + 1}" for i in range(n_fields)]


def _fold(name: str) -> str:
    return name.strip().casefold().replace("-", "_").replace(" ", "_")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:20])
    return f"The fields are: {shown}{', ...' if len(names) > 20 else ''}."
