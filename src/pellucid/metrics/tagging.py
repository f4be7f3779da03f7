"""Scores of tagged words: token accuracy, and precision, recall and F1 of entities.

Tags are `O` or a letter with a type, such as `B-PER`: B begins an entity, I continues one, E ends
one, and S is an entity of one word (IOB1, IOB2 and IOBES).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pellucid.errors import DataError
from pellucid.metrics.classes import ClassScore, score_classes

ENTITY_TAG = re.compile("O|[BIES](-.+)?", re.DOTALL)
UNNAMED = "_"
"""The type of a letter alone, as seqeval calls it."""


class Entity(NamedTuple):
    """Words `start` to `stop` - 1 of a sentence, counted from 0, and what they name."""

    type: str
    start: int
    stop: int


class EntityCounts:
    """Counts of right words and entities; an entity is right if its type and both its ends are.

    Memory: five numbers for each sentence.
    Source: conlleval (Tjong Kim Sang and De Meulder 2003), as seqeval computes it by default.
    """

    def __init__(self, find: Callable[[Sequence[str]], list[Entity]]) -> None:
        """find: returns the entities of a sentence's tags, `entities` or `words_as_entities`."""
        self._find = find
        self._rows: list[np.ndarray] = []
        self._types: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(3, np.int64))

    def add(self, predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> None:
        """Count the tags of some sentences.

        Raises: DataError if sentences or words are not as many on both sides; and as `entities`.
        """
        _check_lengths(predicted, gold)
        rows = np.zeros((len(gold), 5), np.int32)
        for row, p, g in zip(rows, predicted, gold, strict=True):
            guesses, truth = set(self._find(p)), set(self._find(g))
            sides = (guesses & truth, guesses, truth)
            right = sum(a == b for a, b in zip(p, g, strict=True))
            row[:] = (right, len(g), *map(len, sides))
            for i, side in enumerate(sides):
                for entity in side:
                    self._types[entity.type][i] += 1
        self._rows.append(rows)

    def rows(self) -> np.ndarray:
        """Return the counts of each sentence, (S, 5), whose sums `score_counts` takes.

        They are right words, words; right, predicted and gold entities.
        """
        return np.concatenate([np.zeros((0, 5), np.int32), *self._rows])

    def by_type(self) -> dict[str, ClassScore]:
        """Return the scores of each type of entity, in alphabetical order."""
        names = sorted(self._types)
        if not names:
            return {}
        columns = np.stack([self._types[name] for name in names], 1)  # (3, types)
        return dict(zip(names, score_classes(*columns), strict=True))


def score_counts(sums: np.ndarray) -> dict[str, float]:
    """Return accuracy, precision, recall and F1 from the sums of `EntityCounts.rows`, (5,)."""
    right_words, words, right, predicted, gold = sums.tolist()
    return {
        "accuracy": _ratio(right_words, words),
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, gold),
        "f1": _ratio(2 * right, predicted + gold),
    }


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities of one sentence, in their order.

    An I after `O`, after another type, or after E or S begins a new entity.
    Raises: DataError naming a tag that is neither `O` nor a letter of BIES with a type.
    """
    spans: list[Entity] = []
    previous, previous_type = "O", UNNAMED
    for i, tag in enumerate(tags):
        letter, kind = _split(tag)
        if letter in ("I", "E") and previous in ("B", "I") and kind == previous_type:
            spans[-1] = spans[-1]._replace(stop=i + 1)
        elif letter != "O":
            spans.append(Entity(kind, i, i + 1))
        previous, previous_type = letter, kind
    return spans


def words_as_entities(tags: Sequence[str]) -> list[Entity]:
    """Return one entity per word, for tags that mark none, such as parts of speech."""
    return [Entity(tag, i, i + 1) for i, tag in enumerate(tags)]


def are_entity_tags(tags: Iterable[str]) -> bool:
    """Return whether all tags mark entities; others, as parts of speech, have an accuracy only."""
    return all(ENTITY_TAG.fullmatch(tag) for tag in tags)


def _split(tag: str) -> tuple[str, str]:
    """Return the letter and the type of a tag."""
    if not ENTITY_TAG.fullmatch(tag):
        raise DataError(
            f"{tag[:60]!r} is no entity tag. Write O, or B-, I-, E- or S- and a type, as in B-PER."
        )
    return tag[0], tag[2:] or UNNAMED


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _check_lengths(predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> None:
    if len(predicted) != len(gold):
        raise DataError(
            f"{len(predicted)} predicted sentences but {len(gold)} gold ones: each needs both."
            " Check that no line was lost."
        )
    for number, (p, g) in enumerate(zip(predicted, gold, strict=True), 1):
        if len(p) != len(g):
            raise DataError(
                f"sentence {number} has {len(p)} predicted tags but {len(g)} gold ones: each word"
                " needs one of both."
            )
