"""The parallel text of a run: what is trained on, and what is held out."""

from collections.abc import Iterator, Sequence

from pellucid import garden
from pellucid.config.data import GARDEN, DataConfig
from pellucid.data.read import BLANK, read_pairs, scan_pairs
from pellucid.data.split import HeldOut, hold_out
from pellucid.data.store import digest
from pellucid.errors import DataError

Pair = tuple[str, str]
VALID_PAIRS = 1000
"""How many pairs are held out where no validation files are named, at most."""
VALID_SHARE = 20
"""And at most one in so many."""
HOLD_OUT_SEED = 1
"""Not the run's: runs of several seeds are compared on one validation set."""


class Corpus:
    """Training and validation pairs of a data config."""

    def __init__(self, config: DataConfig) -> None:
        """Read everything once. Raises: DataError at the first fault, before any training."""
        if not config.train:
            raise DataError(
                "there is no training data. Name two aligned text files, or one .tsv or .jsonl:"
                " pellucid train --data.train my.en my.de."
            )
        self.config = config
        self.digests: dict[str, str] = {}  # file -> sha256: what tells this text from another
        for files in filter(None, (config.train, config.valid)):
            scan_pairs(files, config)  # reads nothing yet: do the names make sense together?
            self.digests |= {file: digest(file) for file in files}  # stops at what is read once
        self.n_read = sum(pair != BLANK for pair in read_pairs(config.train, config))
        if not self.n_read:
            raise DataError(f"{', '.join(config.train)}: there is no pair in it. Check the file.")
        self._held: HeldOut | None = None
        self.valid: Sequence[Pair]
        if config.valid:
            self.valid = self._named(config.valid)
        elif tuple(config.train) == (GARDEN,):  # it knows clauses, and keeps whole ones apart
            languages = config.source_language, config.target_language
            self.valid = list(garden.pairs(VALID_PAIRS, *languages, split="valid"))
        else:
            n = max(1, min(VALID_PAIRS, self.n_read // VALID_SHARE))
            self._held = hold_out(self._read(), n, HOLD_OUT_SEED)
            self.valid = self._held.pairs

    def train(self) -> Iterator[Pair]:
        """Pairs to train on, in the order of the files; a blank one keeps each other's line."""
        return self._read() if self._held is None else self._held.training(self._read())

    @property
    def held_out(self) -> str:
        """What tells this cut from another one of the same files."""
        return f"held out {len(self.valid)}" if self._held else ""

    def _read(self) -> Iterator[Pair]:
        return read_pairs(self.config.train, self.config)

    def _named(self, files: Sequence[str]) -> list[Pair]:
        pairs = [pair for pair in read_pairs(files, self.config) if pair != BLANK]
        if not pairs:
            raise DataError(f"{', '.join(files)}: there is no pair in it. Check data.valid.")
        return pairs
