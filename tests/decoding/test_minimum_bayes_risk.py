"""Authorities: utilities whose best text is known in closed form; expectation counted by hand."""

from statistics import median

import pytest

from decoding.toys import END, SPECIAL_IDS, brute_force, random_model
from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import Request, generate
from pellucid.decoding.minimum_bayes_risk import rank_by_utility
from pellucid.errors import UsageError

NUMBERS = [3.0, 9.0, 4.0, 4.0, 30.0, 5.0, 4.5]


def test_distance_is_least_at_the_median():
    ranked = rank_by_utility(NUMBERS, lambda a, b: -abs(a - b))
    assert NUMBERS[ranked[0].candidate] == median(NUMBERS)
    assert sorted(one.candidate for one in ranked) == list(range(len(NUMBERS)))
    for place, utility in ranked:
        expected = -sum(abs(NUMBERS[place] - x) for x in NUMBERS) / len(NUMBERS)
        assert utility == pytest.approx(expected)


def test_sameness_is_most_at_the_mode():
    ranked = rank_by_utility(NUMBERS, lambda a, b: float(a == b))
    assert NUMBERS[ranked[0].candidate] == 4.0
    assert [one.candidate for one in ranked[:2]] == [2, 3]  # ties as given


def test_references_of_their_own():
    ranked = rank_by_utility(["a", "bb"], lambda a, b: float(len(a) == len(b)), ["cc", "dd", "e"])
    assert ranked[0] == (1, pytest.approx(2 / 3))


def test_the_candidate_comes_first():
    ranked = rank_by_utility([1.0, 5.0], lambda candidate, reference: candidate - 9 * reference)
    assert [one.candidate for one in ranked] == [1, 0]
    assert ranked[0].utility == pytest.approx(5 - 27)


def test_nothing():
    assert rank_by_utility([], lambda a, b: 0.0) == []
    with pytest.raises(UsageError, match="at least one"):
        rank_by_utility(["a"], lambda a, b: 0.0, [])


def test_ranking_by_equality_finds_the_most_probable_text():
    model = random_model(4, seed=8, spread=3.0)  # its likeliest text is so by far
    model.logits[:, END] += 2.0
    config = DecodingConfig(method="sample", n_best=600, max_length=4)
    (actual,) = generate(model, Request([(5, 3)]), SPECIAL_IDS, config)
    texts = [h.ids for h in actual]
    best = texts[rank_by_utility(texts, lambda a, b: float(a == b))[0].candidate]
    likeliest = DecodingConfig(beam=1, alpha=0.0)
    assert best == brute_force(model, (5, 3), likeliest, 4)[0][0]
