"""Scores of classified texts: accuracy, F1 by class, macro and micro F1, and MCC.

Labels are their ids, counted from 0. Sources: the definitions of scikit-learn's `sklearn.metrics`;
MCC of several classes: Gorodkin 2004, eq. 8.
"""

from typing import NamedTuple

import numpy as np

from pellucid.errors import DataError
from pellucid.metrics.classes import ClassScore, ratio, score_classes


class ClassificationScores(NamedTuple):
    """Agreement over all texts: MCC is from -1 to 1, the others from 0 to 1."""

    accuracy: float
    """Share of texts whose label, or whose whole set of labels, is the gold one."""
    macro_f1: float
    """Mean F1 of the classes. A single-label class that is neither gold nor predicted is left out.
    """
    micro_f1: float
    """F1 over all decisions together; equal to the accuracy for a single label."""
    mcc: float
    """Matthews correlation; of several labels, over all decisions whether a text has a label."""


def score_labels(predicted: np.ndarray, gold: np.ndarray) -> ClassificationScores:
    """Score one label per text. predicted, gold: (N,). Raises: DataError as `_check`."""
    _check(predicted, gold)
    confusion = confusion_matrix(predicted, gold, int(max(predicted.max(), gold.max())) + 1)
    present = confusion.sum(0) + confusion.sum(1) > 0
    f1 = [score.f1 for score in class_scores(confusion)]
    accuracy = float(confusion.trace() / len(gold))
    return ClassificationScores(
        accuracy, float(np.mean(np.array(f1)[present])), accuracy, matthews(confusion)
    )


def score_label_sets(predicted: np.ndarray, gold: np.ndarray) -> ClassificationScores:
    """Score any number of labels per text. predicted, gold: (N, C), True = has the label.

    Raises: DataError as `_check`.
    """
    _check(predicted, gold)
    right, n_predicted, n_gold = (predicted & gold).sum(0), predicted.sum(0), gold.sum(0)  # (C,)
    decisions = confusion_matrix(predicted.ravel().astype(int), gold.ravel().astype(int), 2)
    return ClassificationScores(
        accuracy=float((predicted == gold).all(1).mean()),
        macro_f1=float(np.mean(ratio(2 * right, n_predicted + n_gold))),
        micro_f1=float(ratio(2 * right.sum(), (n_predicted + n_gold).sum())),
        mcc=matthews(decisions),
    )


def confusion_matrix(predicted: np.ndarray, gold: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the number of texts by gold label (rows) and predicted label: (C, C)."""
    cells = np.bincount(gold * n_classes + predicted, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def class_scores(confusion: np.ndarray) -> list[ClassScore]:
    """Return the scores of each class of a confusion matrix (C, C)."""
    return score_classes(confusion.diagonal(), confusion.sum(0), confusion.sum(1))


def set_scores(predicted: np.ndarray, gold: np.ndarray) -> list[ClassScore]:
    """Return the scores of each label of sets. predicted, gold: (N, C), True = has the label."""
    return score_classes((predicted & gold).sum(0), predicted.sum(0), gold.sum(0))


def matthews(confusion: np.ndarray) -> float:
    """Return Matthews' correlation of a confusion matrix (C, C); 0 if one side is constant."""
    c = confusion.astype(np.float64)
    n, n_gold, n_predicted = c.sum(), c.sum(1), c.sum(0)
    covariance = c.trace() * n - n_gold @ n_predicted
    spread = (n**2 - n_gold @ n_gold) * (n**2 - n_predicted @ n_predicted)
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def _check(predicted: np.ndarray, gold: np.ndarray) -> None:
    """Raises: DataError if there are no texts, or not as many on both sides."""
    if predicted.shape != gold.shape:
        raise DataError(
            f"predicted labels have shape {predicted.shape}, gold ones {gold.shape}: each text"
            " needs both. Check that no line was lost."
        )
    if not len(gold):
        raise DataError("no classified text to score: the test set is empty. Give at least one.")
