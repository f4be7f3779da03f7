"""Pairs of texts, and the languages that file names give."""

import re
from collections.abc import Iterator, Sequence

from pellucid.config.columns import PAIR
from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.builtin import PAIR_LANGUAGES
from pellucid.data.lines import plain_name
from pellucid.data.records import Scanned, scan_records
from pellucid.errors import DataError

BLANK = ("", "")
CODE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})?")
TWO_CODES = re.compile(r"([a-z]{2,3})[-_]([a-z]{2,3})")


def read_pairs(files: Sequence[str], config: DataConfig) -> Iterator[tuple[str, str]]:
    """Read one pair for each line, in order: pair number i is line i + 1.

    A line that is blank on both sides gives `BLANK`, so that counting goes on; one that is blank
    on a single side is an error. Raises: DataError naming file, line and byte at the first fault.
    """
    return _pairs(scan_pairs(files, config))


def _pairs(scan: Iterator[Scanned]) -> Iterator[tuple[str, str]]:
    for scanned in scan:
        if scanned.faults:
            raise DataError(str(scanned.faults[0]))
        yield (scanned.record.values[0], scanned.record.values[1]) if scanned.record else BLANK


def scan_pairs(files: Sequence[str], config: DataConfig) -> Iterator[Scanned]:
    """Scan parallel text. Raises: UsageError if the files' number and kinds do not fit."""
    return scan_records(files, PAIR, config)


def languages(files: Sequence[str], config: DataConfig) -> tuple[str, str]:
    """Return source and target language, from the config or the files' endings; "" if unknown."""
    named = ("", "")
    if tuple(files) == (GARDEN,):
        named = PAIR_LANGUAGES
    elif len(files) == 2:
        endings = [plain_name(file).rpartition(".")[2] for file in files]
        named = tuple(e if CODE.fullmatch(e) and e != "txt" else "" for e in endings)
    elif files:
        parts = plain_name(files[0]).split(".")
        codes = [m.groups() for m in map(TWO_CODES.fullmatch, parts) if m]
        named = codes[-1] if codes else named
    return config.source_language or named[0], config.target_language or named[1]
