"""Everything that is wrong, or worth a look, in parallel data: found in one pass."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pellucid.config.data import DataConfig
from pellucid.data.lines import Fault
from pellucid.data.read import BLANK, Scanned, scan_pairs

__all__ = ["Fault", "Report", "check"]

LISTED = 100  # faults of one kind that are listed; all are counted
# What other programs may take for a line break, or for a byte order mark out of place.
BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ufeff]")
UNEQUAL = 9  # one side so many times longer in characters than the other ...
SHORT = 40  # ... and longer than this: short ones differ for good reasons


@dataclass(frozen=True)
class Report:
    """What `check` found: `pairs` are those that could be read."""

    pairs: int
    faults: tuple[Fault, ...]
    counts: dict[str, int]

    @property
    def fatal(self) -> bool:
        """Whether reading this data for training would stop with an error."""
        return any(fault.fatal for fault in self.faults)

    def lines(self) -> Iterator[str]:
        """The report for people: each fault, then the counts."""
        for fault in self.faults:
            yield f"{'error' if fault.fatal else 'note'}: {fault}"
        yield f"{self.pairs:,} pairs" + "".join(
            f", {n:,} {what}" for what, n in self.counts.items()
        )


def check(files: Sequence[str], config: DataConfig) -> Report:
    """Read all of the data and report every fault, fatal or not, instead of stopping at one.

    At most `LISTED` faults of a kind are listed; `counts` has them all. Memory: 100 bytes a pair,
    to find duplicates. Raises: UsageError if the files' number and kinds make no sense together.
    """
    faults: list[Fault] = []
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    pairs = 0
    for scanned in scan_pairs(files, config):
        counts["carriage returns dropped"] += scanned.carriages
        readable = not scanned.faults and (scanned.source, scanned.target) != BLANK
        pairs += readable
        for fault in scanned.faults or _notes(scanned, files, seen):
            counts[fault.kind] += 1
            if counts[fault.kind] <= LISTED:
                faults.append(fault)
    if not pairs:
        faults.append(
            Fault(str(files[0]), 0, 0, "no pairs", "there is not one pair to learn from.")
        )
        counts["no pairs"] += 1
    return Report(pairs, tuple(faults), {kind: n for kind, n in counts.items() if n})


def _notes(scanned: Scanned, files: Sequence[str], seen: set[int]) -> Iterator[Fault]:
    """What is odd about a pair that can be read."""
    source, target, line = scanned.source, scanned.target, scanned.line
    names = (files[0], files[-1])

    def note(side: int, kind: str, what: str, byte: int = 0) -> Fault:
        return Fault(names[side], line, byte, kind, what, fatal=False)

    if (source, target) == BLANK:
        yield note(0, "blank on both sides", "empty on both sides: skipped.")
        return
    key = hash((source, target))
    if key in seen:
        yield note(0, "duplicates", "this pair stood in an earlier line too.")
    seen.add(key)
    if source == target:
        yield note(0, "identical sides", "source and target are the same text: not translated?")
    longer, shorter = sorted((len(source), len(target)), reverse=True)
    if longer > SHORT and longer > UNEQUAL * shorter:
        what = f"{len(source)} characters against {len(target)}: a translation of the whole line?"
        yield note(0, "unequal lengths", what)
    for side, text in enumerate((source, target)):
        if found := BREAKS.search(text):
            what = (
                f"U+{ord(found[0]):04X} inside a text: kept as a character, but other programs may"
                " break the line here."
            )
            byte = scanned.marks[side] + len(text[: found.start()].encode()) + 1
            yield note(side, "other line breaks", what, byte)
