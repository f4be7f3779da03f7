"""Accumulates the predictions of a tagger into metrics, one batch at a time."""

from collections.abc import Sequence
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
from torch import Tensor

from pellucid.data.examples import Examples
from pellucid.metrics.classification import confusion_matrix
from pellucid.metrics.details import Confusion, Details, WrongExample, WrongExamples
from pellucid.metrics.intervals import ByExample, Metrics
from pellucid.metrics.tagging import (
    EntityCounts,
    are_entity_tags,
    entities,
    score_counts,
    words_as_entities,
)


class PredictedTags(NamedTuple):
    """Predicted and gold tags of a batch, as ids."""

    predicted: Tensor  # (B, W)
    gold: Tensor  # (B, W)
    is_word: Tensor  # (B, W), True = a word
    probabilities: Tensor | None
    """(B, W), of the predicted tags; None if wrong words are not listed."""


class TagScores:
    """Counts of an evaluation. Memory: 60 bytes per sentence, and 40 per listed wrong word."""

    def __init__(self, labels: Sequence[str], examples: Examples) -> None:
        """labels: names of the tags, in the order of their ids."""
        self.labels, self.examples = tuple(labels), examples
        self._windows: dict[int, tuple[list[str], list[str]]] = {}  # parts of long sentences
        self._counted: list[int] = []  # the example of each sentence, of several its first
        self._entities = EntityCounts(entities if are_entity_tags(labels) else words_as_entities)
        self._confusion = np.zeros((len(labels), len(labels)), np.int64)
        self._wrong: list[np.ndarray] = []  # (N, 5): example, word, gold, predicted, probability

    def add(self, indices: Sequence[int], tags: PredictedTags) -> None:
        """Count a batch. indices: its examples."""
        predicted, gold, is_word, probabilities = tags
        names = (self._names(side, is_word) for side in (predicted, gold))
        for index, *sides in zip(indices, *names, strict=True):
            if self._is_part(index):
                self._windows[index] = (sides[0], sides[1])
            else:
                self._entities.add(*([side] for side in sides))
                self._counted.append(index)
        p, g = (side[is_word].cpu().numpy() for side in (predicted, gold))
        self._confusion += confusion_matrix(p, g, len(self.labels))
        if probabilities is not None:
            is_wrong = (predicted != gold) & is_word
            rows, words = (x.cpu().numpy() for x in is_wrong.nonzero(as_tuple=True))
            columns = [side[is_wrong].cpu().numpy() for side in (gold, predicted, probabilities)]
            self._wrong.append(np.stack([np.asarray(indices)[rows], words, *columns], 1))

    def metrics(self, loss: float, list_wrong: bool) -> Metrics:
        """Return the metrics and their details. loss: the sum over all words."""
        self._join_windows()
        rows = self._entities.rows()
        scores = {"loss": loss / max(int(self._confusion.sum()), 1), **score_counts(rows.sum(0))}
        details = Details(
            classes=self._entities.by_type(),
            confusion=Confusion(self.labels, self._confusion),
            wrong=self._list_wrong() if list_wrong else None,
        )
        by_example = ByExample(
            len(rows),
            lambda i: score_counts(rows[i].sum(0)),
            lambda: list(map(self.examples.origin, self._counted)),
        )
        return Metrics(scores, by_example, details)

    def _is_part(self, index: int) -> bool:
        """Return whether an example is a window of a sentence that has several."""
        origin, last = self.examples.origin(index), len(self.examples) - 1
        near = (i for i in (index - 1, index + 1) if 0 <= i <= last)
        return any(self.examples.origin(i) == origin for i in near)

    def _join_windows(self) -> None:
        """Count the sentences that were split, as wholes: a window may end inside an entity."""
        ordered = sorted(self._windows)
        for _, group in groupby(ordered, self.examples.origin):
            indices = list(group)
            self._counted.append(indices[0])
            parts = [self._windows[i] for i in indices]
            predicted, gold = (list(chain.from_iterable(side)) for side in zip(*parts, strict=True))
            self._entities.add([predicted], [gold])
        self._windows.clear()

    def _list_wrong(self) -> WrongExamples:
        wrong = np.concatenate([np.zeros((0, 5)), *self._wrong])
        wrong = wrong[np.lexsort((wrong[:, 1], wrong[:, 0], -wrong[:, 4]))]
        return WrongExamples(
            ("probability",),
            [
                WrongExample(
                    self.examples.origin(int(i)),
                    self.labels[int(gold)],
                    self.labels[int(predicted)],
                    (probability,),
                    _count_words_before(self.examples, int(i)) + int(word) + 1,
                )
                for i, word, gold, predicted, probability in wrong.tolist()
            ],
        )

    def _names(self, tags: Tensor, is_word: Tensor) -> list[list[str]]:
        return [
            [self.labels[i] for i in row[words].tolist()]
            for row, words in zip(tags.cpu(), is_word.cpu(), strict=True)
        ]


def _count_words_before(examples: Examples, index: int) -> int:
    """Return the number of words of a sentence in the windows before this one."""
    n, origin = 0, examples.origin(index)
    while index and examples.origin(index - 1) == origin:
        index -= 1
        n += len(examples[index][1])
    return n
