"""Pairs of texts from aligned files, TSV, JSONL, or the built-in corpus."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.lines import Fault, Line, plain_name, scan_lines
from pellucid.errors import DataError, UsageError

BLANK = ("", "")
GARDEN_PAIRS = 30_000
GARDEN_LANGUAGES = ("en", "de")
CODE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})?")
TWO_CODES = re.compile(r"([a-z]{2,3})[-_]([a-z]{2,3})")


class Scanned(NamedTuple):
    """What one line of the data gave: a pair, or faults instead."""

    line: int
    source: str = ""
    target: str = ""
    faults: tuple[Fault, ...] = ()
    carriages: int = 0
    marks: tuple[int, int] = (0, 0)
    """Bytes of a mark before each side's text."""


def read_pairs(files: Sequence[str], config: DataConfig) -> Iterator[tuple[str, str]]:
    """One pair for each line, in order: pair number i is line i + 1.

    A line that is blank on both sides gives `BLANK`, so that counting goes on; one that is blank
    on a single side is an error. Raises: DataError naming file, line and byte at the first fault.
    """
    for scanned in scan_pairs(files, config):
        if scanned.faults:
            raise DataError(str(scanned.faults[0]))
        yield scanned.source, scanned.target


def scan_pairs(files: Sequence[str], config: DataConfig) -> Iterator[Scanned]:
    """One result for each line, and one more at the end for a fault of the files themselves.

    Raises: UsageError if the files' number and kinds make no sense together.
    """
    if tuple(files) == (GARDEN,):
        return _garden(config)
    if len(files) == 2 and files[0] != files[1]:
        return _aligned(files[0], files[1], config)
    if len(files) == 1:
        for ending, parse in PARSERS.items():
            if plain_name(files[0]).endswith(ending) or files[0] == "-":
                return _parsed(files[0], config, parse)
    raise UsageError(
        f"cannot read pairs from {list(files)}. Give two different aligned text files (source, then"
        f" target), or one .tsv or .jsonl file (.gz too), or the name {GARDEN}."
    )


def languages(files: Sequence[str], config: DataConfig) -> tuple[str, str]:
    """Source and target language, from the config or the files' endings; "" if neither says."""
    found = ("", "")
    if tuple(files) == (GARDEN,):
        found = GARDEN_LANGUAGES
    elif len(files) == 2:
        endings = [plain_name(file).rpartition(".")[2] for file in files]
        found = tuple(e if CODE.fullmatch(e) and e != "txt" else "" for e in endings)
    elif files:
        parts = plain_name(files[0]).split(".")
        named = [m.groups() for m in map(TWO_CODES.fullmatch, parts) if m]
        found = named[-1] if named else found
    return config.source_language or found[0], config.target_language or found[1]


def _garden(config: DataConfig) -> Iterator[Scanned]:
    from pellucid import garden

    source, target = languages((GARDEN,), config)
    for line, pair in enumerate(garden.pairs(GARDEN_PAIRS, source, target), start=1):
        yield Scanned(line, *pair)


def _aligned(source: str, target: str, config: DataConfig) -> Iterator[Scanned]:
    files, counts = (source, target), [0, 0]
    sides = [scan_lines(file, config.max_line_bytes) for file in files]
    extra = None
    for number, lines in enumerate(zip_longest(*sides), start=1):
        faults = tuple(line.fault for line in lines if line and line.fault)
        if any(f.kind in ("unreadable", "gzip", "encoding") for f in faults):
            yield Scanned(number, faults=faults)
            # One side has ended for its own reason: the counts would say nothing.
            for line in chain(*sides):
                if line.fault:
                    yield Scanned(line.number, faults=(line.fault,))
            return
        for side, line in enumerate(lines):
            counts[side] += line is not None
        if None in lines:
            extra = extra or next(line for line in lines if line)
        else:
            yield _pair(number, lines, faults, files)
    if extra:
        yield Scanned(extra.number, faults=(_unequal(files, counts, extra),))


def _pair(
    number: int, lines: Sequence[Line], faults: tuple[Fault, ...], files: Sequence[str]
) -> Scanned:
    carriages = sum(line.carriage for line in lines)
    if not faults:
        faults = _one_blank(number, [line.text for line in lines], files)
    if faults:
        return Scanned(number, faults=faults, carriages=carriages)
    source, target = _both(*(line.text for line in lines))
    marks = (lines[0].mark, lines[1].mark)
    return Scanned(number, source, target, carriages=carriages, marks=marks)


def _unequal(files: Sequence[str], counts: Sequence[int], extra: Line) -> Fault:
    longer = int(counts[1] > counts[0])
    what = (
        f"{files[0]} has {counts[0]:,} lines, {files[1]} has {counts[1]:,}: this is the first line"
        f" without a partner ({extra.text[:40]!r}). Somewhere before it the two may have shifted."
        " Make the files anew from one source."
    )
    return Fault(files[longer], extra.number, 0, "unequal counts", what)


def _parsed(
    file: str, config: DataConfig, parse: Callable[[str], tuple[str, str]]
) -> Iterator[Scanned]:
    for line in scan_lines(file, config.max_line_bytes):
        if line.fault:
            yield Scanned(line.number, faults=(line.fault,), carriages=line.carriage)
            continue
        try:
            texts = parse(line.text) if line.text.strip() else BLANK
            faults = _one_blank(line.number, texts, (file, file))
        except _MalformedError as error:
            texts, faults = BLANK, (_malformed(file, line, error),)
        yield Scanned(line.number, *_both(*texts), faults, line.carriage)


def _malformed(file: str, line: Line, error: "_MalformedError") -> Fault:
    return Fault(file, line.number, line.mark + error.byte, "malformed", str(error))


class _MalformedError(Exception):
    def __init__(self, what: str, byte: int) -> None:
        super().__init__(what)
        self.byte = byte


def _tsv(text: str) -> tuple[str, str]:
    columns = text.split("\t")
    if len(columns) != 2:
        byte = len("\t".join(columns[:2]).encode()) + 1
        raise _MalformedError(
            f"{len(columns)} columns instead of 2 (source, one tab, target). Remove other tabs.",
            byte,
        )
    return columns[0], columns[1]


def _jsonl(text: str) -> tuple[str, str]:
    try:
        entry = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise _MalformedError(
            f"no JSON ({error.msg}). Each line is one object.", len(text[: error.pos].encode()) + 1
        ) from error
    except (RecursionError, ValueError) as error:
        what = f"no JSON that can be used ({error}). Mend or remove the line."
        raise _MalformedError(what, 1) from error
    sides = entry if isinstance(entry, dict) else {}
    return _text(text, sides.get("source")), _text(text, sides.get("target"))


def _unique(entries: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(entries)
    if len(found) < len(entries):
        raise ValueError("a key stands twice")
    return found


def _text(line: str, side: object) -> str:
    if not isinstance(side, str):
        raise _MalformedError('not {"source": "text", "target": "text"}. Name both, as strings.', 1)
    odd = next((c for c in side if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if odd:
        escape = f"\\u{ord(odd):04x}"
        byte = len(line[: max(line.lower().find(escape), 0)].encode()) + 1
        raise _MalformedError(f"{escape} is no character of a text. Remove it.", byte)
    return side


def _one_blank(number: int, texts: Sequence[str], files: Sequence[str]) -> tuple[Fault, ...]:
    blank = [not text.strip() for text in texts]
    if blank[0] == blank[1]:
        return ()
    side = blank.index(True)
    what = (
        f"the {('source', 'target')[side]} is empty and the other side is not"
        f" ({texts[1 - side][:40]!r}). The sides may have shifted; else remove the line from both."
    )
    return (Fault(files[side], number, 0, "empty on one side", what),)


def _both(source: str, target: str) -> tuple[str, str]:
    return (source, target) if source.strip() else BLANK


PARSERS = {".tsv": _tsv, ".jsonl": _jsonl}
