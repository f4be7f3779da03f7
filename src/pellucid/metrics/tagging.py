"""Scores of tagged words: token accuracy, and precision, recall and F1 of entities.

Tags are `O` or a letter with a type, such as `B-PER`: B begins an entity, I continues one, E ends
one, and S is an entity of one word (IOB1, IOB2 and IOBES).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pellucid.errors import DataError

ENTITY_TAG = re.compile("O|[BIES](-.+)?", re.DOTALL)
UNNAMED = "_"
"""The type of a letter alone, as seqeval calls it."""


class Entity(NamedTuple):
    """Words `start` to `stop` - 1 of a sentence, counted from 0, and what they name."""

    type: str
    start: int
    stop: int


class EntityScore(NamedTuple):
    """Agreement of predicted with gold entities, each from 0 to 1; a ratio over nothing is 0."""

    precision: float
    recall: float
    f1: float
    support: int
    """Gold entities."""


class EntityScores(NamedTuple):
    """Over all entities together (micro), and by type, in alphabetical order."""

    micro: EntityScore
    by_type: Mapping[str, EntityScore]


def token_accuracy(predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> float:
    """Return the share of words whose tag is the gold one, from 0 to 1.

    Raises: DataError if sentences or words are not as many on both sides, or if there is no word.
    """
    _check_lengths(predicted, gold)
    n_words = sum(map(len, gold))
    if not n_words:
        raise DataError("no tagged word to score: the test set is empty. Give at least one.")
    sentences = zip(predicted, gold, strict=True)
    return sum(p == g for pair in sentences for p, g in zip(*pair, strict=True)) / n_words


def entity_scores(
    predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]
) -> EntityScores:
    """Score entities: one is right if its type and both its ends are.

    Raises: DataError as `token_accuracy`, except that no word at all scores 0; and as `entities`.
    Source: conlleval (Tjong Kim Sang and De Meulder 2003), as seqeval computes it by default.
    """
    _check_lengths(predicted, gold)
    guesses, truth = (
        {(i, entity) for i, tags in enumerate(sentences) for entity in entities(tags)}
        for sentences in (predicted, gold)
    )
    by_type = {
        kind: _score(*({e for e in side if e[1].type == kind} for side in (guesses, truth)))
        for kind in sorted({entity.type for _, entity in guesses | truth})
    }
    return EntityScores(_score(guesses, truth), by_type)


def count_matches(predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> np.ndarray:
    """Return counts of each sentence, (S, 5): right words, words; right, predicted, gold entities.

    Sums over sentences give the metrics by `score_counts`. Raises: DataError as `entity_scores`.
    """
    _check_lengths(predicted, gold)
    rows = []
    for p, g in zip(predicted, gold, strict=True):
        guesses, truth = set(entities(p)), set(entities(g))
        right = sum(a == b for a, b in zip(p, g, strict=True))
        rows.append((right, len(g), len(guesses & truth), len(guesses), len(truth)))
    return np.array(rows)


def score_counts(sums: np.ndarray) -> dict[str, float]:
    """Return accuracy, precision, recall and F1 from the sums of `count_matches`, (5,)."""
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


def _score(guesses: set[tuple[int, Entity]], truth: set[tuple[int, Entity]]) -> EntityScore:
    right = len(guesses & truth)
    return EntityScore(
        precision=_ratio(right, len(guesses)),
        recall=_ratio(right, len(truth)),
        f1=_ratio(2 * right, len(guesses) + len(truth)),
        support=len(truth),
    )


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
