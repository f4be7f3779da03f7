"""Paired bootstrap of two models. Authority: scipy, and the definition of a p-value."""

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.metrics.comparison import compare, describe_chance
from pellucid.metrics.intervals import ByExample, Metrics

stats = pytest.importorskip("scipy.stats")
N = 200


def metrics_of(values, origins=None):
    origins = [f"f:{i}" for i in range(len(values))] if origins is None else origins
    by_example = ByExample(
        len(values), lambda i: {"mean": float(values[i].mean())}, lambda: origins
    )
    return Metrics({"loss": 1.0, "mean": float(values.mean())}, by_example)


def pair(seed, effect=0.0):
    """Scores of two models that find the same examples hard."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 3, N)
    return difficulty + rng.normal(0, 1, N), difficulty + rng.normal(effect, 1, N)


@pytest.mark.parametrize("effect", [0.0, 0.15, 0.5])
def test_a_difference_is_that_of_scipy(effect):
    before, after = pair(1, effect)
    found = compare(metrics_of(before), metrics_of(after))
    assert set(found) == {"mean"}
    d = found["mean"]
    assert (d.before, d.after) == (before.mean(), after.mean())
    assert d.delta == pytest.approx(after.mean() - before.mean())

    def difference(x, y, axis=-1):
        return y.mean(axis) - x.mean(axis)

    options = {"paired": True, "vectorized": True, "method": "percentile", "n_resamples": 20_000}
    expected = stats.bootstrap((before, after), difference, rng=0, **options).confidence_interval
    assert (d.low, d.high) == pytest.approx(tuple(expected), abs=0.02)
    exact = stats.permutation_test(
        (before, after), difference, permutation_type="samples", n_resamples=20_000, rng=0
    )
    assert d.p_value == pytest.approx(exact.pvalue, abs=0.04)


def test_equal_models_do_not_differ():
    before, _ = pair(2)
    d = compare(metrics_of(before), metrics_of(before))["mean"]
    assert (d.delta, d.low, d.high, d.p_value) == (0, 0, 0, 1)


def test_examples_may_come_in_any_order():
    before, after = pair(3, 0.2)
    order = np.random.default_rng(0).permutation(N)
    shuffled = metrics_of(after[order], [f"f:{i}" for i in order])
    expected = compare(metrics_of(before), metrics_of(after))["mean"]
    assert compare(metrics_of(before), shuffled)["mean"] == pytest.approx(expected)


def test_chance_alone_is_rarely_called_more():  # at a level of 5 %: 5 of 100 expected
    tests = [compare(*map(metrics_of, pair(seed)), seed)["mean"] for seed in range(10, 110)]
    assert sum("more than chance" in describe_chance(t.p_value) for t in tests) <= 11


def test_other_examples_are_an_error():
    before, after = pair(4)
    with pytest.raises(DataError, match="f:199: only one of the two models has this example"):
        compare(metrics_of(before), metrics_of(after[:-1]))


def test_metrics_that_do_not_follow_from_examples_are_not_compared():
    assert compare(Metrics({"loss": 1.0}), metrics_of(pair(5)[0])) == {}
    assert compare({"loss": 1.0}, {"loss": 2.0}) == {}
