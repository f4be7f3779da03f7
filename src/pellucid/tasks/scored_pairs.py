"""From the similarities that an evaluation predicts to metrics and their details."""

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.metrics.details import Details, Points, WrongExample, WrongExamples
from pellucid.metrics.intervals import ByExample, Metrics
from pellucid.metrics.similarity import pearson, spearman


def measure_similarities(
    points: Points,
    loss: float,
    origins: Callable[[], Sequence[str]],
    wrong: WrongExamples | None,
) -> Metrics:
    """Return the correlations of gold and predicted similarities, and their details.

    origins: see `ByExample`.
    """

    def correlate(i: np.ndarray) -> dict[str, float]:
        sides = points.predicted[i], points.gold[i]
        return {"pearson": pearson(*sides), "spearman": spearman(*sides)}

    n = len(points.gold)
    return Metrics(
        {"loss": loss, **correlate(np.arange(n))},
        ByExample(n, correlate, origins),
        Details(points=points, wrong=wrong),
    )


def list_deviations(
    points: Points, origins: Sequence[str], deviations: np.ndarray
) -> WrongExamples:
    """Return all pairs, those with the largest deviations first."""
    order: list[int] = np.argsort(-deviations, kind="stable").tolist()
    return WrongExamples(
        ("deviation",),
        [
            WrongExample(
                origins[i],
                f"{points.gold[i]:g}",
                f"{points.predicted[i]:.4f}",
                (float(deviations[i]),),
            )
            for i in order
        ],
    )
