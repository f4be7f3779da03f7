"""Training and validation records of a run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pellucid import garden
from pellucid.config.columns import LABEL_KINDS, Column
from pellucid.config.data import GARDEN, DataConfig
from pellucid.config.tasks.base import TaskConfig
from pellucid.data.files import expand_names, open_files
from pellucid.data.recognized import recognize
from pellucid.data.records import Record, read_records
from pellucid.data.split import MAX_HELD_OUT, NOTHING_LEFT, Split, hold_out, n_held_out
from pellucid.data.store import digest
from pellucid.errors import DataError

EXAMPLE_CHARACTERS = 128
"""Estimated characters of an example cut from a document: about 32 tokens."""


class Corpus:
    """Training and validation records: the columns of a task, read from the files of a config."""

    def __init__(self, config: DataConfig, task: TaskConfig) -> None:
        """Read all files once. Raises: DataError at the first invalid record."""
        if not config.train:
            raise DataError(
                "there is no training data. Name files: pellucid train --data.train FILE ..."
            )
        self.config, self.columns = config, task.columns
        self.digests: dict[str, str] = {}  # file -> sha256
        for names in filter(None, (config.train, config.valid)):
            open_files(names, self.columns, config)  # checks the columns; reads no records
            self.digests |= {file: digest(file) for file in expand_names(names)}
        self.recognized = recognize(config.train, self.columns, config)
        self._labels: dict[str, Counter[str]] = {
            column.name: Counter() for column in self.columns if column.kind in LABEL_KINDS
        }
        self.n_read = 0
        self.n_examples = 0  # estimate; default settings depend on it
        for record in self._count_labels(self._read(config.train)):
            self.n_read += 1
            self.n_examples += self._estimate_examples(record)
        if not self.n_read:
            raise DataError(f"{', '.join(config.train)}: no example in it. Check the file.")
        self._split: Split | None = None
        self.valid = self._read_validation()

    def train(self) -> Iterator[Record]:
        """Return the training records, in the order of the files."""
        records = self._read(self.config.train)
        return records if self._split is None else self._split.training(records)

    def texts(self) -> Iterator[tuple[str, ...]]:
        """Yield the texts of each training record, to train a tokenizer on."""
        columns = [i for i, column in enumerate(self.columns) if column.tokenizer]
        for record in self.train():
            values = [record.values[i] for i in columns]
            texts = [" ".join(v) if isinstance(v, tuple) else v for v in values]
            yield tuple(text for text in texts if text is not None)  # an optional column

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The labels of each label column, in alphabetical order."""
        return {name: tuple(sorted(counts)) for name, counts in self._labels.items()}

    @property
    def split(self) -> str:
        """A string that identifies how the files are split into training and validation."""
        return f"{len(self.valid)} held out" if self._split else ""

    def _read_validation(self) -> Sequence[Record]:
        c = self.config
        if c.valid:
            records = list(self._count_labels(self._read(c.valid)))
            if not records:
                raise DataError(f"{', '.join(c.valid)}: no example in it. Check data.valid.")
            return records
        if tuple(c.train) == (GARDEN,) and _is_parallel(self.columns):
            # The garden holds out whole clauses; a split by sentences would not.
            pairs = garden.pairs(MAX_HELD_OUT, c.source_language, c.target_language, split="valid")
            return [Record(GARDEN, line, pair) for line, pair in enumerate(pairs, start=1)]
        self._split = hold_out(self._read(c.train), self.columns, n_held_out(self.n_read))
        if next(self.train(), None) is None:
            raise DataError(f"{', '.join(c.train)}: {NOTHING_LEFT}")
        return self._split.records

    def _estimate_examples(self, record: Record) -> int:
        """Return an estimate of the number of examples in a record: long documents are cut."""
        documents = [i for i, column in enumerate(self.columns) if column.kind == "document"]
        return max([1, *(len(record.values[i] or "") // EXAMPLE_CHARACTERS for i in documents)])

    def _read(self, files: Sequence[str]) -> Iterator[Record]:
        return read_records(files, self.columns, self.config)

    def _count_labels(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records and count their labels."""
        for record in records:
            for column, value in zip(self.columns, record.values, strict=True):
                if column.kind in LABEL_KINDS and value is not None:
                    self._labels[column.name].update((value,) if column.kind == "label" else value)
            yield record


def _is_parallel(columns: Sequence[Column]) -> bool:
    return [column.kind for column in columns] == ["text", "text"]
