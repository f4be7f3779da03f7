"""Test sets: sources and references whose lines stay aligned with other files."""

from collections.abc import Sequence
from typing import NamedTuple

from pellucid.config.columns import PAIR
from pellucid.config.data import DataConfig
from pellucid.data.languages import languages
from pellucid.data.lines import read_lines
from pellucid.data.records import scan_records
from pellucid.errors import DataError, UsageError

MAX_LINE_BYTES = DataConfig().max_line_bytes


class Pair(NamedTuple):
    """A line of a test set; blank lines are pairs of empty texts, so that lines stay aligned."""

    source: str
    target: str
    position: str
    """File and line."""


def read_pairs(files: Sequence[str]) -> list[Pair]:
    """Return all pairs in order, blank ones included.

    Raises: DataError at a fault, or if there is no pair.
    """
    pairs = []
    for scanned in scan_records(files, PAIR, DataConfig()):
        if scanned.faults:
            raise DataError(str(scanned.faults[0]))
        source, target = scanned.record.values if scanned.record else ("", "")
        pairs.append(Pair(source, target, f"{scanned.file}:{scanned.line}"))
    if not any(pair.source for pair in pairs):
        raise DataError(f"{', '.join(files)}: the files have no pair. Check them.")
    return pairs


def find_languages(files: Sequence[str]) -> tuple[str, str]:
    """Return source and target language from the endings of the files, "" if unknown."""
    return languages(files, DataConfig())


def check_order(files: Sequence[str], languages: tuple[str, str]) -> None:
    """Raises: UsageError if the files' endings are a model's languages in the other order."""
    source, target = find_languages(files)
    if source and target and source != target and (target, source) == languages:
        raise UsageError(
            f"the first file is {source}, the second {target}, but the model translates from"
            f" {target} to {source}. Give the source first."
        )


def read_aligned_lines(file: str, expected: int) -> list[str]:
    """Return the lines of a file. Raises: DataError if there are fewer or more than expected."""
    lines = list(read_lines(file, MAX_LINE_BYTES))
    if len(lines) != expected:
        raise DataError(
            f"{file} has {len(lines):,} lines, the test set {expected:,}: they do not belong"
            " together, or a line was lost. Make the file again."
        )
    return lines
