"""Confidence intervals of metrics, at 95 %."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from pellucid.metrics.details import Details

LEVEL = 0.95
RESAMPLES = 1000


class Interval(NamedTuple):
    """A confidence interval of a metric."""

    low: float
    high: float
    method: str
    """Wilson or bootstrap."""


@dataclass(frozen=True)
class ByExample:
    """How metrics follow from n examples, which can be drawn again."""

    n: int
    score: Callable[[np.ndarray], Mapping[str, float]]
    """From indices of examples (with repetitions) to metrics."""
    origins: Callable[[], Sequence[str]]
    """Returns where each example comes from, as `file:line`."""
    shares: tuple[str, ...] = ()
    """Metrics that are shares of right examples."""


class Metrics(dict[str, float]):
    """Values of metrics by name."""

    def __init__(
        self,
        values: Mapping[str, float],
        by_example: ByExample | None = None,
        details: Details = Details(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__(values)
        self.by_example = by_example
        self.details = details

    def intervals(self) -> dict[str, Interval]:
        """Return the interval of each metric that examples give: of shares Wilson's."""
        if self.by_example is None:
            return {}
        n, score, shares = self.by_example.n, self.by_example.score, self.by_example.shares
        exact = {name: wilson_interval(round(self[name] * n), n) for name in shares}
        return bootstrap_intervals(score, n) | exact


def find_intervals(metrics: Mapping[str, float]) -> dict[str, Interval]:
    """Return the intervals of the metrics that have one."""
    return metrics.intervals() if isinstance(metrics, Metrics) else {}


def find_details(metrics: Mapping[str, float]) -> Details:
    """Return the details of an evaluation; empty ones for a task without any."""
    return metrics.details if isinstance(metrics, Metrics) else Details()


def wilson_interval(right: int, n: int) -> Interval:
    """Return the interval of the share right / n of independent examples; n is at least 1.

    Source: Wilson 1927, without correction for continuity.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share = right / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(max(0.0, center - half), min(1.0, center + half), "Wilson")


def bootstrap_intervals(
    score: Callable[[np.ndarray], Mapping[str, float]], n: int, seed: int = 0
) -> dict[str, Interval]:
    """Return the interval of each metric: percentiles over resamples of the examples.

    score: from indices of examples (with repetitions) to metrics; n: number of examples.
    Source: Efron and Tibshirani 1993, section 13.3.
    """
    rng = np.random.default_rng(seed)
    samples = [score(rng.integers(n, size=n)) for _ in range(RESAMPLES)]
    ends = [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2]
    intervals = {}
    for name in samples[0]:
        low, high = np.percentile([sample[name] for sample in samples], ends)
        intervals[name] = Interval(float(low), float(high), "bootstrap")
    return intervals
