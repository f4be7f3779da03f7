"""The file of `pellucid evaluate --errors`: every wrong prediction with its text."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.render import one_line
from pellucid.config.columns import Column
from pellucid.files import atomic_write

if TYPE_CHECKING:
    from pellucid.data.records import Record
    from pellucid.metrics.details import WrongExample
    from pellucid.tasks.evaluation import Evaluation

TEXT_KINDS = ("text", "words", "document")


def write_errors(path: Path, evaluation: "Evaluation") -> None:
    """Write one line per wrong prediction: a JSON object (.jsonl), or fields separated by tabs."""
    rows = list(_rows(evaluation))
    if path.suffix == ".jsonl":
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = ["\t".join(names)] if rows else []
        lines += ["\t".join(_as_field(row.get(name)) for name in names) for row in rows]
    atomic_write(path, "".join(line + "\n" for line in lines).encode())


def _rows(evaluation: "Evaluation") -> Iterator[dict[str, Any]]:
    from pellucid.metrics.intervals import find_details

    wrong = find_details(evaluation.metrics).wrong
    assert wrong is not None
    origins = {each.origin for each in wrong.examples}
    # The texts were not kept: they are read again.
    records = {
        origin: record for record in evaluation.records if (origin := record.origin) in origins
    }
    for each in wrong.examples:
        numbers = dict(zip(wrong.numbers, (round(n, 4) for n in each.numbers), strict=True))
        yield {
            "example": each.origin,
            "gold": each.gold,
            "predicted": each.predicted,
            **numbers,
            **_describe_record(each, records[each.origin], evaluation.columns),
        }


def _describe_record(
    wrong: "WrongExample", record: "Record", columns: tuple[Column, ...]
) -> Mapping[str, Any]:
    """Return the word of a wrong tag, the texts of the record, and its own id if it has one."""
    fields: dict[str, Any] = {}
    for column, value in zip(columns, record.values, strict=True):
        if column.kind == "words" and wrong.word:
            fields |= {"number": wrong.word, "word": value[wrong.word - 1]}
        if column.kind in TEXT_KINDS and value is not None:
            fields[column.name] = " ".join(value) if column.kind == "words" else value
    return {**fields, "id": record.id} if record.id else fields


def _as_field(value: Any) -> str:
    return "" if value is None else one_line(str(value)).replace("\t", " ")
