"""Test sets: sources and references whose lines stay aligned with other files."""

from collections.abc import Sequence

from pellucid.config.data import DataConfig
from pellucid.data.lines import read_lines
from pellucid.data.read import languages, read_pairs
from pellucid.errors import DataError

MOST_BYTES = DataConfig().max_line_bytes


def pairs_of(files: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs in order, blank ones too. Raises: DataError at a fault, or if there is none."""
    found = list(read_pairs(files, DataConfig()))
    if not any(source for source, _ in found):
        raise DataError(f"{', '.join(files)}: there is no pair in it. Check the file.")
    return found


def languages_of(files: Sequence[str]) -> tuple[str, str]:
    """Source and target language as the files' endings say, "" where they do not."""
    return languages(files, DataConfig())


def lines_of(file: str, expected: int) -> list[str]:
    """The lines of a text file. Raises: DataError if there are not as many as expected."""
    found = list(read_lines(file, MOST_BYTES))
    if len(found) != expected:
        raise DataError(
            f"{file} has {len(found):,} lines, the test set {expected:,}: they do not belong"
            " together, or a line was lost. Make it anew."
        )
    return found
