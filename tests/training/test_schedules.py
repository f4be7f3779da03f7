"""Rates against their papers' formulas."""

import math

import pytest

from pellucid.config.training import TrainingConfig
from pellucid.training.schedules import constant, cosine, inverse_sqrt, learning_rate, linear, noam


@pytest.mark.parametrize("step", [1, 7, 3999, 4000, 4001, 100_000])
def test_noam_is_the_papers_formula(step):  # authority: Vaswani et al. 2017, eq. 3
    expected = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
    assert noam(step, 512, 4000) == pytest.approx(expected, rel=1e-12)
    c = TrainingConfig(schedule="noam", warmup=4000, rate=2.0)
    assert learning_rate(step, c, 512) == pytest.approx(2 * expected, rel=1e-12)


def test_the_paper_base_model_peaks_at_seven_ten_thousandths():  # authority: known of the recipe
    assert max(noam(s, 512, 4000) for s in range(1, 20_000)) == pytest.approx(6.99e-4, rel=1e-3)


def test_inverse_sqrt_meets_its_peak_once():  # authority: algebra
    assert inverse_sqrt(50, 100) == 0.5
    assert inverse_sqrt(100, 100) == 1.0
    assert inverse_sqrt(400, 100) == 0.5
    assert inverse_sqrt(1, 0) == 1.0


@pytest.mark.parametrize("schedule", [linear, cosine])
def test_decay_ends_just_after_the_last_update(schedule):  # authority: the definition
    assert schedule(5, 10, 110) == 0.5
    assert schedule(10, 10, 110) == pytest.approx(1.0)
    assert 0 < schedule(110, 10, 110) < 0.02
    assert schedule(111, 10, 110) == pytest.approx(0.0, abs=1e-12)
    rates = [schedule(step, 10, 110) for step in range(10, 112)]
    assert rates == sorted(rates, reverse=True)


def test_cosine_is_at_half_in_the_middle():  # authority: Loshchilov and Hutter 2017, eq. 5
    assert cosine(60, 9, 110) == pytest.approx(0.5 * (1 + math.cos(math.pi * 51 / 102)))


def test_constant_warms_up_only():
    assert [constant(step, 4) for step in (1, 2, 4, 5, 999)] == [0.25, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("schedule", [lambda s: noam(s, 8, 4), lambda s: constant(s, 3)])
def test_steps_count_from_one(schedule):
    with pytest.raises(ValueError, match="count from 1"):
        schedule(0)
