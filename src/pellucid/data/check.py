"""Everything that is wrong, or worth a look, in parallel data: found in one pass."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pellucid.config.columns import PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.data.lines import Fault
from pellucid.data.records import Scanned, scan_records

__all__ = ["Fault", "Report", "check"]

LISTED = 100  # faults of one kind that are listed; all are counted
# What other programs may take for a line break, or for a byte order mark out of place.
BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ufeff]")
UNEQUAL = 9  # one side so many times longer in characters than the other ...
SHORT = 40  # ... and longer than this: short ones differ for good reasons


@dataclass(frozen=True)
class Report:
    """What `check` found: `examples` are those that could be read."""

    examples: int
    faults: tuple[Fault, ...]
    counts: dict[str, int]
    noun: str = "pair"

    @property
    def fatal(self) -> bool:
        """Whether reading this data for training would stop with an error."""
        return any(fault.fatal for fault in self.faults)

    def lines(self) -> Iterator[str]:
        """The report for people: each fault, then the counts."""
        for fault in self.faults:
            yield f"{'error' if fault.fatal else 'note'}: {fault}"
        yield f"{self.examples:,} {self.noun}s" + "".join(
            f", {n:,} {what}" for what, n in self.counts.items()
        )


def check(files: Sequence[str], config: DataConfig, columns: Sequence[Column] = PAIR) -> Report:
    """Read all of the data and report every fault, fatal or not, instead of stopping at one.

    At most `LISTED` faults of a kind are listed; `counts` has them all. Memory: 100 bytes an
    example, to find duplicates. Raises: UsageError or ConfigError if the files or settings cannot
    give these columns.
    """
    faults: list[Fault] = []
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    examples = 0
    noun = "pair" if tuple(columns) == PAIR else "example"
    for scanned in scan_records(files, columns, config):
        counts["carriage returns dropped"] += scanned.carriages
        examples += scanned.record is not None
        for fault in scanned.faults or _notes(scanned, columns, noun, seen):
            counts[fault.kind] += 1
            if counts[fault.kind] <= LISTED:
                faults.append(fault)
    if not examples:
        what = f"there is not one {noun} to learn from."
        faults.append(Fault(str(files[0]), 0, 0, f"no {noun}s", what))
        counts[f"no {noun}s"] += 1
    return Report(examples, tuple(faults), {kind: n for kind, n in counts.items() if n}, noun)


def _notes(
    scanned: Scanned, columns: Sequence[Column], noun: str, seen: set[int]
) -> Iterator[Fault]:
    """What is odd about an example that can be read."""
    if scanned.record is None:
        blank = (
            ("blank on both sides", "empty on both sides") if noun == "pair" else ("blank", "empty")
        )
        yield Fault(scanned.file, scanned.line, 0, blank[0], f"{blank[1]}: skipped.", fatal=False)
        return
    values = scanned.record.values

    def note(kind: str, what: str, column: int = 0) -> Fault:
        file = scanned.locate(column, 0).file
        return Fault(file, scanned.line, 0, kind, what, fatal=False)

    key = hash(values)
    if key in seen:
        yield note("duplicates", f"this {noun} stood in an earlier line too.")
    seen.add(key)
    if noun == "pair":
        yield from (note(*kind_and_what) for kind_and_what in _pair_notes(*values))
    for index, (column, value) in enumerate(zip(columns, values, strict=True)):
        found = BREAKS.search(value) if column.kind == "text" and value else None
        if found:
            what = (
                f"U+{ord(found[0]):04X} inside a text: kept as a character, but other programs may"
                " break the line here."
            )
            place = scanned.locate(index, found.start())
            yield Fault(*place, "other line breaks", what, fatal=False)


def _pair_notes(source: str, target: str) -> Iterator[tuple[str, str]]:
    if source == target:
        yield "identical sides", "source and target are the same text: not translated?"
    longer, shorter = sorted((len(source), len(target)), reverse=True)
    if longer > SHORT and longer > UNEQUAL * shorter:
        what = f"{len(source)} characters against {len(target)}: a translation of the whole line?"
        yield "unequal lengths", what
