"""Assign columns to the fields of a table without header, by content."""

from collections.abc import Sequence

from pellucid.config.columns import Column
from pellucid.data.rows import Row
from pellucid.data.values import is_language, is_number


class UnclearError(Exception):
    """Raised if columns cannot be assigned to fields. `row` has unexpected fields, if given."""

    def __init__(self, what: str, row: Row | None = None) -> None:
        super().__init__(what)
        self.row = row


def assign_by_content(
    columns: Sequence[Column], indices: Sequence[int], rows: Sequence[Row]
) -> dict[str, int]:
    """Assign each column a field by its values: numbers, few labels, or language codes.

    The other columns are assigned in order.  Raises: UnclearError.
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
            elif column.kind == "language":
                keys[column.name] = _language_field(column, free, values)
    rest = [i for i in indices if i not in keys.values()]
    others = [column.name for column in columns if column.name not in keys]
    return keys | dict(zip(others, rest, strict=True))


def _score_field(column: Column, free: Sequence[int], values: dict[int, list[str]]) -> int:
    numeric = [i for i in free if all(map(is_number, values[i]))]
    if numeric:
        return numeric[-1]  # by convention, the score comes last
    raise UnclearError(f"no field of numbers for {column.name}. {how_to_choose(column.name)}")


def _label_field(column: Column, free: Sequence[int], values: dict[int, list[str]]) -> int:
    fewest, *others = sorted(free, key=lambda i: len(set(values[i])))
    if not others or 2 * len(set(values[fewest])) <= len(set(values[others[0]])):
        return fewest
    words = [i for i in free if not any(" " in value.strip() for value in values[i])]
    if len(words) == 1:
        return words[0]
    raise UnclearError(
        f"no field has clearly fewer values, for {column.name}. {how_to_choose(column.name)}"
    )


def _language_field(column: Column, free: Sequence[int], values: dict[int, list[str]]) -> int:
    fields = [i for i in free if all(map(is_language, values[i]))]
    if fields:
        return fields[0]
    raise UnclearError(
        f"no field of language codes for {column.name}. {how_to_choose(column.name)}"
    )


def how_to_choose(column: str) -> str:
    """Return the hint of an error about a column without a certain field."""
    return f"Choose one with data.columns: {column}=NAME, or its number from 1."
