"""Details of an evaluation: scores by class, confusions, and wrong examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pellucid.metrics.classes import ClassScore


class Confusion(NamedTuple):
    """How often each label was predicted for each gold label."""

    labels: tuple[str, ...]
    counts: np.ndarray  # (C, C), gold labels in rows, predicted ones in columns

    def limit_labels(self, n: int) -> "Confusion":
        """Return a matrix of at most `n` labels: all but the most frequent become one label."""
        if len(self.labels) <= n:
            return self
        order = np.argsort(-(self.counts.sum(0) + self.counts.sum(1)), kind="stable")
        kept = np.sort(order[: n - 1])
        group = np.full(len(self.labels), n - 1)  # the new label of each
        group[kept] = np.arange(n - 1)
        counts = np.zeros((n, n), self.counts.dtype)
        np.add.at(counts, (group[:, None], group[None, :]), self.counts)
        rest = f"{len(self.labels) - n + 1} others"
        return Confusion((*(self.labels[i] for i in kept), rest), counts)


class Points(NamedTuple):
    """Gold and predicted numbers."""

    gold: np.ndarray  # (N,)
    predicted: np.ndarray  # (N,)


class WrongExample(NamedTuple):
    """One wrong prediction."""

    origin: str
    """`file:line` of its record."""
    gold: str
    predicted: str
    numbers: tuple[float, ...]
    """As named by `WrongExamples.numbers`."""
    word: int = 0
    """Its word in a tagged sentence, counted from 1; 0: the prediction is for the whole record."""


class WrongExamples(NamedTuple):
    """The wrong predictions of an evaluation, highest first number first."""

    numbers: tuple[str, ...]
    examples: Sequence[WrongExample]


@dataclass(frozen=True)
class Details:
    """What a task reports in addition to metrics. Parts that it does not have are empty."""

    classes: Mapping[str, ClassScore] = field(default_factory=dict)
    confusion: Confusion | None = None
    points: Points | None = None
    wrong: WrongExamples | None = None
    """Only if requested: its memory grows with the number of wrong predictions."""
