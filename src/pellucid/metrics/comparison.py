"""Whether two models differ by more than the choice of the test examples explains."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pellucid.errors import DataError
from pellucid.metrics.intervals import LEVEL, RESAMPLES, Metrics


class Difference(NamedTuple):
    """How a metric differs between two models, measured on the same examples."""

    before: float
    after: float
    delta: float
    """after - before."""
    low: float
    high: float
    """The 95 % interval of delta: percentiles over resamples of the examples."""
    p_value: float
    """How often examples drawn by chance give a difference as large, if there is none."""


def compare(
    before: Mapping[str, float], after: Mapping[str, float], seed: int = 0
) -> dict[str, Difference]:
    """Compare the `Metrics` of two models that follow from examples (paired bootstrap).

    Each of 1,000 samples has the same examples for both models. The p-value is that of the
    differences' distribution, moved to a mean of 0.
    Raises: DataError if the models were measured on different examples.
    Source: Efron and Tibshirani 1993, sections 13.3 and 16.4; Koehn 2004.
    """
    a, b = (m.by_example if isinstance(m, Metrics) else None for m in (before, after))
    if a is None or b is None:
        return {}
    origins = a.origins(), b.origins()
    alone = set(origins[0]) ^ set(origins[1])
    if alone:
        raise DataError(
            f"{min(alone)}: only one of the two models has this example"
            f" ({len(alone):,} such examples), so they cannot be compared. Leave them out of the"
            " test set."
        )
    # Models read examples in orders of their own.
    first, second = (np.array(sorted(range(len(o)), key=o.__getitem__)) for o in origins)
    rng, n = np.random.default_rng(seed), len(first)
    chosen = (rng.integers(n, size=n) for _ in range(RESAMPLES))
    samples = [(a.score(first[i]), b.score(second[i])) for i in chosen]
    differences = {}
    for name in [name for name in samples[0][0] if name in samples[0][1]]:
        deltas = np.array([scores_b[name] - scores_a[name] for scores_a, scores_b in samples])
        delta = after[name] - before[name]
        beyond = int((np.abs(deltas - deltas.mean()) >= abs(delta)).sum())
        low, high = map(float, np.percentile(deltas, [50 * (1 - LEVEL), 50 * (1 + LEVEL)]))
        p_value = (beyond + 1) / (RESAMPLES + 1)
        differences[name] = Difference(before[name], after[name], delta, low, high, p_value)
    return differences


def describe_chance(p_value: float) -> str:
    """Return a p-value and what it says, in words."""
    verdict = "more than chance" if p_value < 1 - LEVEL else "may be chance"
    return f"p = {p_value:.4f}: {verdict}"
