"""Report all faults of data files in one pass, with notes."""

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.config.columns import PAIR, Column, is_pair
from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.lines import Fault
from pellucid.data.recognized import N_EXAMPLES, Recognized, describe_fields
from pellucid.data.records import Scanned, scan_records
from pellucid.data.split import NOTHING_LEFT, HoldOut, n_held_out, text_keys
from pellucid.errors import DataError

__all__ = ["Fault", "Report", "check"]

LISTED = 100  # faults of one kind that are listed; all are counted
# Characters that other programs may read as a line break, and byte order marks inside a text.
BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ufeff]")
# Pairs are noted if one side has over 9 times the characters of the other, and over 40 of them.
UNEQUAL = 9
SHORT = 40


@dataclass(frozen=True)
class Report:
    """The result of `check`; `examples` counts those that could be read."""

    examples: int
    faults: tuple[Fault, ...]
    counts: dict[str, int]
    noun: str = "pair"
    recognized: Recognized | None = None

    @property
    def fatal(self) -> bool:
        """Whether reading this data for training would stop with an error."""
        return any(fault.fatal for fault in self.faults)

    def lines(self) -> Iterator[str]:
        """Yield the lines of a readable report: recognized columns, faults and counts."""
        if self.recognized and self.recognized.reader.layout != "plain":
            yield from self.recognized.describe()
        for fault in self.faults:
            yield f"{'error' if fault.fatal else 'note'}: {fault}"
        yield f"{self.examples:,} {self.noun}s" + "".join(
            f", {n:,} {what}" for what, n in self.counts.items()
        )


def check(files: Sequence[str], config: DataConfig, columns: Sequence[Column] = PAIR) -> Report:
    """Read all of the data and report every fault, fatal or not, instead of stopping at one.

    At most `LISTED` faults of a kind are listed; `counts` counts all. Memory: 150 bytes per
    example to find duplicates, and the up to 2,000 examples that may be held out.
    Raises: UsageError or ConfigError if the files or settings cannot give these columns.
    """
    faults: list[Fault] = []
    counts: Counter[str] = Counter()
    notes = _Notes(columns, config)
    examples, first = 0, []
    for scanned in scan_records(files, columns, config):
        counts["carriage returns dropped"] += scanned.carriages
        if scanned.record is not None:
            examples += 1
            if examples <= N_EXAMPLES:
                first.append(scanned)
        for fault in scanned.faults or notes.check_example(scanned):
            counts[fault.kind] += 1
            if counts[fault.kind] <= LISTED:
                faults.append(fault)
    for kind, what in notes.check_all(files, examples):
        faults.append(Fault(str(files[0]), 0, 0, kind, what))
        counts[kind] += 1
    counted = {kind: n for kind, n in counts.items() if n}
    recognized = describe_fields(first, files, columns)
    return Report(examples, tuple(faults), counted, notes.noun, recognized)


class _Notes:
    """Finds unusual properties of valid examples, one by one and over all of them."""

    def __init__(self, columns: Sequence[Column], config: DataConfig) -> None:
        self.columns, self.config = tuple(columns), config
        self.is_pair = is_pair(columns)
        self.noun = "pair" if self.is_pair else "example"
        self.seen: set[int] = set()
        self.too_long = 0
        self.held_out = HoldOut(columns)
        self.texts = array("q")  # hashes of the texts of each example
        required = [i for i, c in enumerate(columns) if c.kind == "label" and not c.optional]
        self.labels = {column: set[str]() for column in required}

    def check_example(self, scanned: Scanned) -> Iterator[Fault]:
        """Yield notes on one example."""
        if scanned.record is None:
            where = " on both sides" if self.is_pair else ""
            what = f"empty{where}: skipped."
            yield Fault(scanned.file, scanned.line, 0, f"blank{where}", what, fatal=False)
            return
        values = scanned.record.values
        self.held_out.add(scanned.record)
        self.texts.extend(map(hash, text_keys(scanned.record, self.held_out.columns)))
        for column, labels in self.labels.items():
            if values[column] is not None and len(labels) < 2:
                labels.add(values[column])
        key = hash(values)
        if key in self.seen:
            what = f"this {self.noun} is a duplicate of an earlier line."
            yield Fault(scanned.file, scanned.line, 0, "duplicates", what, fatal=False)
        self.seen.add(key)
        yield from self._find_moved_answers(scanned, values)
        if self.is_pair:
            for kind, what in self._check_pair(*values[:2]):
                yield Fault(scanned.file, scanned.line, 0, kind, what, fatal=False)
            yield from self._find_line_breaks(scanned, values[:2])

    def _find_moved_answers(self, scanned: Scanned, values: Sequence[Any]) -> Iterator[Fault]:
        for column, value in zip(self.columns, values, strict=True):
            for span in (value or ()) if column.kind == "span" else ():
                if span.is_moved:
                    what = (
                        f"the answer {span.text[:40]!r} is not where the file says: its nearest"
                        f" occurrence in the context, at character {span.start}, is used."
                    )
                    yield Fault(scanned.file, scanned.line, 0, "moved answers", what, fatal=False)

    def check_all(self, files: Sequence[str], examples: int) -> Iterator[tuple[str, str]]:
        """Yield (kind, message) of errors that concern the examples as a whole."""
        if not examples:
            yield f"no {self.noun}s", f"the files have no {self.noun}."
        elif self.too_long == examples:
            what = (
                f"every {self.noun} is longer than data.max_length={self.config.max_length} tokens,"
                " so training would leave all of them out. Raise it, or split the texts."
            )
            yield f"no {self.noun}s", what
        elif any(len(labels) == 1 for labels in self.labels.values()):
            (label, *_), *_ = self.labels.values()
            what = f"all texts have the label {label!r}, so nothing can be learned."
            yield "too few labels", what
        elif not self.config.valid and tuple(files) != (GARDEN,):
            yield from self._check_split(examples)

    def _check_split(self, examples: int) -> Iterator[tuple[str, str]]:
        try:
            split = self.held_out.split(n_held_out(examples))
        except DataError as error:
            yield "no validation", str(error)
            return
        held, n = set(map(hash, split.texts)), len(split.columns)
        texts = self.texts
        if all(held.intersection(texts[i : i + n]) for i in range(0, len(texts), n)):
            yield "no validation", NOTHING_LEFT

    def _check_pair(self, source: str, target: str) -> Iterator[tuple[str, str]]:
        if source == target:
            yield "identical sides", "source and target are the same text: not translated?"
        longer, shorter = sorted((len(source), len(target)), reverse=True)
        if longer > SHORT and longer > UNEQUAL * shorter:
            what = f"{len(source)} characters against {len(target)}: a translation of the whole?"
            yield "unequal lengths", what
        # No tokenizer trained here gives fewer tokens than a text has words.
        n_words = max(len(source.split()), len(target.split()))
        if n_words > self.config.max_length:
            self.too_long += 1
            what = (
                f"{n_words:,} words, and data.max_length is {self.config.max_length} tokens:"
                " training leaves the pair out."
            )
            yield "longer than data.max_length", what

    def _find_line_breaks(self, scanned: Scanned, values: Sequence[str]) -> Iterator[Fault]:
        for column, text in enumerate(values):
            if match := BREAKS.search(text):
                what = (
                    f"U+{ord(match[0]):04X} inside a text: kept as a character, but other programs"
                    " may break the line here."
                )
                position = scanned.locate(column, match.start())
                yield Fault(*position, "other line breaks", what, fatal=False)
