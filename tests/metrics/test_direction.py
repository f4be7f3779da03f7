"""Directions of metrics.  Authority: a perfect prediction beats a wrong one."""

import math

import pytest

from pellucid.errors import ConfigError
from pellucid.metrics.direction import DIRECTIONS, direction, is_better
from pellucid.metrics.translation import bleu, chrf, ter

RIGHT, WRONG = ["the old dog sees a cat near the water"], ["a red house stands on a hill today"]


@pytest.mark.parametrize("metric", [bleu, chrf, ter])
def test_a_perfect_translation_is_better(metric):
    perfect, poor = (metric(text, RIGHT).value for text in (RIGHT, WRONG))
    assert is_better(metric.__name__, perfect, poor)
    assert not is_better(metric.__name__, poor, perfect)


def test_losses_fall_and_scores_rise():
    assert [name for name in DIRECTIONS if direction(name) == "lower"] == [
        "loss",
        "perplexity",
        "ter",
        "error_rate",
    ]


def test_the_first_value_is_the_best_so_far_and_equal_is_not_better():
    assert is_better("loss", 3.0, None)
    assert not is_better("loss", 3.0, 3.0)
    assert not is_better("f1", 3.0, 3.0)
    assert not is_better("f1", math.nan, None)
    assert not is_better("loss", math.nan, 1.0)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ConfigError, match="'speed' is no metric with a known direction"):
        direction("speed")
