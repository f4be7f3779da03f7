"""From the labels that an evaluation predicts to metrics and their details."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pellucid.data.examples import Examples
from pellucid.metrics.classification import (
    class_scores,
    confusion_matrix,
    score_label_sets,
    score_labels,
    set_scores,
)
from pellucid.metrics.details import Confusion, Details, WrongExample, WrongExamples
from pellucid.metrics.intervals import ByExample, Metrics


class Predictions(NamedTuple):
    """The predictions for N texts."""

    indices: np.ndarray  # (N,), their examples
    predicted: np.ndarray  # (N,) ids; of several labels (N, C), True = has the label
    gold: np.ndarray  # the same
    probability: np.ndarray  # (N,), of the predicted label; of several, of exactly these


def measure_predictions(
    predictions: Predictions,
    labels: Sequence[str],
    loss: float,
    examples: Examples,
    *,
    list_wrong: bool,
) -> Metrics:
    """Return the metrics and their details."""
    indices, predicted, gold, _ = predictions
    score = score_label_sets if gold.ndim > 1 else score_labels
    by_example = ByExample(
        len(gold),
        lambda i: score(predicted[i], gold[i])._asdict(),
        lambda: list(map(examples.origin, indices.tolist())),
        shares=("accuracy",),
    )
    confusion = None
    if gold.ndim > 1:
        classes = set_scores(predicted, gold)
    else:
        confusion = Confusion(tuple(labels), confusion_matrix(predicted, gold, len(labels)))
        classes = class_scores(confusion.counts)
    details = Details(
        classes=dict(zip(labels, classes, strict=True)),
        confusion=confusion,
        wrong=_list_wrong(predictions, labels, examples) if list_wrong else None,
    )
    return Metrics({"loss": loss, **score(predicted, gold)._asdict()}, by_example, details)


def _list_wrong(
    predictions: Predictions, labels: Sequence[str], examples: Examples
) -> WrongExamples:
    """Return the wrong predictions, most confident first."""
    _, predicted, gold, probability = predictions
    is_wrong = predicted != gold
    wrong = np.flatnonzero(is_wrong.any(1) if gold.ndim > 1 else is_wrong)
    order = wrong[np.lexsort((predictions.indices[wrong], -probability[wrong]))]

    def name(label: np.ndarray) -> str:
        ids: list[int] = np.flatnonzero(label).tolist() if label.ndim else [int(label)]
        return ",".join(labels[i] for i in ids)

    return WrongExamples(
        ("probability",),
        [
            WrongExample(
                examples.origin(int(predictions.indices[i])),
                name(gold[i]),
                name(predicted[i]),
                (float(probability[i]),),
            )
            for i in order
        ],
    )
