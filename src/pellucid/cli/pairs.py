"""Test sets: sources and references whose lines stay aligned with other files."""

from collections.abc import Sequence

from pellucid.config.columns import PAIR
from pellucid.config.data import DataConfig
from pellucid.data.languages import languages
from pellucid.data.lines import read_lines
from pellucid.data.records import scan_records
from pellucid.errors import DataError

MOST_BYTES = DataConfig().max_line_bytes


def pairs_of(files: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs in order; a blank line is a pair of empty texts, so that counting goes on.

    Raises: DataError at a fault, or if there is no pair.
    """
    pairs = []
    for scanned in scan_records(files, PAIR, DataConfig()):
        if scanned.faults:
            raise DataError(str(scanned.faults[0]))
        pairs.append(scanned.record.values if scanned.record else ("", ""))
    if not any(source for source, _ in pairs):
        raise DataError(f"{', '.join(files)}: there is no pair in it. Check the file.")
    return pairs


def languages_of(files: Sequence[str]) -> tuple[str, str]:
    """Source and target language as the files' endings say, "" where they do not."""
    return languages(files, DataConfig())


def lines_of(file: str, expected: int) -> list[str]:
    """The lines of a text file. Raises: DataError if there are not as many as expected."""
    lines = list(read_lines(file, MOST_BYTES))
    if len(lines) != expected:
        raise DataError(
            f"{file} has {len(lines):,} lines, the test set {expected:,}: they do not belong"
            " together, or a line was lost. Make the file again."
        )
    return lines
