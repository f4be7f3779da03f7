"""Training and validation records of a run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pellucid.config.columns import LABEL_KINDS, is_pair
from pellucid.config.data import GARDEN, DataConfig
from pellucid.config.tasks.base import TaskConfig
from pellucid.data.builtin import garden_readers
from pellucid.data.digests import digest
from pellucid.data.files import expand_names, open_files
from pellucid.data.recognized import recognize
from pellucid.data.records import Record, read_records
from pellucid.data.spans import Span
from pellucid.data.split import (
    MAX_HELD_OUT,
    NOTHING_LEFT,
    HoldOut,
    Split,
    n_held_out,
    text_columns,
    text_keys,
)
from pellucid.errors import DataError

EXAMPLE_CHARACTERS = 128
"""Estimated characters of an example cut from a document: about 32 tokens."""


LabelCounts = dict[str, Counter[str]]
"""Label column -> label -> number of occurrences."""


class TrainingCounts(NamedTuple):
    """What the training records, without those held out, consist of."""

    records: int
    examples: int
    """An estimate, by which settings are chosen: long documents give several."""
    labels: LabelCounts
    duplicates: int
    """Records that have the texts of a validation record."""
    moved: int
    """Records with an answer that is not where the file says, but elsewhere in its context."""


class Corpus:
    """Training and validation records: the columns of a task, read from the files of a config."""

    def __init__(self, config: DataConfig, task: TaskConfig) -> None:
        """Read all files once or twice. Raises: DataError at the first invalid record."""
        if not config.train:
            raise DataError(
                "there is no training data. Name files: pellucid train --data.train FILE ..."
            )
        self.config, self.columns = config, task.columns_for(config)
        self.digests: dict[str, str] = {}  # file -> sha256
        for names in filter(None, (config.train, config.valid)):
            open_files(names, self.columns, config)  # checks the columns; reads no records
            self.digests |= {file: digest(file) for file in expand_names(names)}
        self.recognized = recognize(config.train, self.columns, config)
        self._split: Split | None = None
        self._n_read = 0
        self.valid = self._read_validation()
        self.training = self._count_training()
        if not self.training.records:
            reason = NOTHING_LEFT if self._split else "no example in it. Check the file."
            raise DataError(f"{', '.join(config.train)}: {reason}")

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
        """The labels of each label column: those of the config, or in alphabetical order."""
        counts = self.training.labels.items()
        return {name: self.config.labels or tuple(sorted(labels)) for name, labels in counts}

    @property
    def unlearned(self) -> dict[str, str]:
        """Labels of validation examples that no training example has -> where the first one is."""
        origins: dict[str, str] = {}
        for record in self.valid:
            for name, labels in self._count_labels([record]).items():
                for label in labels:
                    if not self.training.labels[name][label]:
                        origins.setdefault(label, record.origin)
        return origins

    @property
    def split(self) -> str:
        """A string that identifies how the files are split into training and validation."""
        return f"{len(self.valid)} held out" if self._split else ""

    @property
    def n_read(self) -> int:
        """The number of records in the training files."""
        return self._n_read or self.training.records

    @property
    def n_removed(self) -> int:
        """Training records that are left out because they share a text with held-out records."""
        held_out = len(self.valid) if self._split else 0
        return self.n_read - self.training.records - held_out

    def _read_validation(self) -> Sequence[Record]:
        c = self.config
        if c.valid:
            records = list(self._read(c.valid))
            if not records:
                raise DataError(f"{', '.join(c.valid)}: no example in it. Check data.valid.")
            return records
        if tuple(c.train) == (GARDEN,) and is_pair(self.columns):
            # The garden holds out whole clauses; a split by sentences would not.
            readers = garden_readers(self.columns, c, MAX_HELD_OUT, "valid")
            absent = [None] * (len(self.columns) - 2)
            return [Record(r.file, row.line, (*row.fields, *absent)) for r in readers for row in r]
        held_out = HoldOut(self.columns)
        for record in self._read(c.train):
            self._n_read += 1
            held_out.add(record)
        if not self._n_read:
            raise DataError(f"{', '.join(c.train)}: no example in it. Check the file.")
        self._split = held_out.split(n_held_out(self._n_read))
        return self._split.records

    def _count_training(self) -> TrainingCounts:
        columns = text_columns(self.columns)
        texts = {text_keys(record, columns) for record in self.valid}
        records = examples = duplicates = moved = 0
        valid = self._count_labels(self.valid)
        labels = {name: Counter(dict.fromkeys(each, 0)) for name, each in valid.items()}
        for record in self.train():
            records += 1
            examples += self._estimate_examples(record)
            duplicates += text_keys(record, columns) in texts
            moved += any(span.is_moved for span in self._spans(record))
            self._add_labels(record, labels)
        return TrainingCounts(records, examples, labels, duplicates, moved)

    def _estimate_examples(self, record: Record) -> int:
        """Return an estimate of the number of examples in a record: long documents are cut."""
        documents = [i for i, column in enumerate(self.columns) if column.kind == "document"]
        return max([1, *(len(record.values[i] or "") // EXAMPLE_CHARACTERS for i in documents)])

    def _spans(self, record: Record) -> Iterator[Span]:
        for column, value in zip(self.columns, record.values, strict=True):
            if column.kind == "span" and value is not None:
                yield from value

    def _read(self, files: Sequence[str]) -> Iterator[Record]:
        return read_records(files, self.columns, self.config)

    def _count_labels(self, records: Iterable[Record]) -> LabelCounts:
        names = [column.name for column in self.columns if column.kind in LABEL_KINDS]
        counts: LabelCounts = {name: Counter() for name in names}
        for record in records:
            self._add_labels(record, counts)
        return counts

    def _add_labels(self, record: Record, counts: LabelCounts) -> None:
        for column, value in zip(self.columns, record.values, strict=True):
            if column.name in counts and value is not None:
                counts[column.name].update((value,) if column.kind == "label" else value)
