"""Precision, recall and F1 of each class, from counts."""

from typing import NamedTuple

import numpy as np


class ClassScore(NamedTuple):
    """Agreement of predicted with gold labels of one class; a ratio over nothing is 0."""

    precision: float
    recall: float
    f1: float
    support: int
    """Gold occurrences."""


def score_classes(right: np.ndarray, predicted: np.ndarray, gold: np.ndarray) -> list[ClassScore]:
    """Return the scores of each class from its counts, each (C,)."""
    columns = (
        ratio(right, predicted),
        ratio(right, gold),
        ratio(2 * np.asarray(right), np.add(predicted, gold)),
        gold,
    )
    return [
        ClassScore(float(p), float(r), float(f1), int(n))
        for p, r, f1, n in zip(*columns, strict=True)
    ]


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)
