"""Confidence intervals. Authority: scipy, and the algebra of a mean's interval."""

import numpy as np
import pytest

from pellucid.metrics.intervals import Metrics, bootstrap_intervals, wilson_interval


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 10), (7, 10), (850, 1000), (10, 10)])
def test_wilson_is_that_of_scipy(right, n):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    low, high, method = wilson_interval(right, n)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert method == "Wilson"


def test_wilson_of_the_published_example():  # authority: Newcombe 1998, table I, method 3
    low, high, _ = wilson_interval(81, 263)
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_bootstrap_of_a_mean():  # authority: mean +- 1.96 s / sqrt(n), by the central limit
    values = np.random.default_rng(1).normal(3, 2, 400)
    intervals = bootstrap_intervals(lambda i: {"mean": values[i].mean(), "n": len(i)}, 400)
    low, high, method = intervals["mean"]
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)
    assert method == "bootstrap"
    assert intervals["n"][:2] == (400, 400)
    again = bootstrap_intervals(lambda i: {"mean": values[i].mean()}, 400)
    assert again["mean"] == intervals["mean"]


def test_the_bootstrap_covers_the_truth():  # authority: the definition, by simulation
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        right = rng.random(150) < 0.8
        low, high, _ = bootstrap_intervals(lambda i, r=right: {"a": r[i].mean()}, 150, seed)["a"]
        covered += low <= 0.8 <= high
    assert covered >= 52  # 57 expected


def test_metrics_are_a_mapping():
    metrics = Metrics({"loss": 1.0})
    assert metrics == {"loss": 1.0}
    assert metrics.intervals() == {}
