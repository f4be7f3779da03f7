"""Holding out. Authority: the definition, checked pair by pair."""

import random

import pytest

from pellucid.data.read import BLANK
from pellucid.data.split import hold_out
from pellucid.errors import DataError

PAIRS = [(f"Source {i % 700}.", f"Target {i % 900}.") for i in range(2000)]


def test_training_shares_no_text_with_the_held_out():
    held = hold_out(PAIRS, 50, seed=0)
    assert len(held.pairs) == len({source for source, _ in held.pairs}) == 50
    assert set(held.pairs) <= set(PAIRS)
    training = list(held.training(PAIRS))
    assert len(training) == len(PAIRS)  # pair i is still line i + 1
    left = [pair for pair in training if pair != BLANK]
    assert not {source for source, _ in held.pairs} & {source for source, _ in left}
    assert not {target for _, target in held.pairs} & {target for _, target in left}
    # Only pairs that share a text are missing.
    assert all(
        pair != BLANK
        or (PAIRS[i][0] in dict(held.pairs) or PAIRS[i][1] in dict(held.pairs).values())
        for i, pair in enumerate(training)
    )


def test_case_and_spacing_do_not_hide_a_text():
    held = hold_out(PAIRS, 50, seed=0)
    source, target = held.pairs[0]
    assert not held.allows(f"  {source.upper()} ", "other")
    assert not held.allows("other", target.replace(" ", "\u3000"))
    assert held.allows("other", "else")


def test_sources_chosen_do_not_depend_on_order():
    shuffled = random.Random(0).sample(PAIRS, len(PAIRS))
    chosen = {source for source, _ in hold_out(PAIRS, 50, 7).pairs}
    assert {source for source, _ in hold_out(shuffled, 50, 7).pairs} == chosen
    assert {source for source, _ in hold_out(PAIRS, 50, 8).pairs} != chosen


def test_chosen_evenly():
    """Authority: chance. 350 of 700 sources, by halves of the file: 175 expected, sigma 9.4."""
    first = {source for source, _ in PAIRS[:350]}
    count = sum(source in first for source, _ in hold_out(PAIRS, 350, 1).pairs)
    assert abs(count - 175) < 47


def test_blank_is_never_held_out_and_too_few_are_refused():
    held = hold_out([BLANK, ("a", "x"), BLANK, ("b", "y")], 1, 0)
    assert BLANK not in held.pairs
    with pytest.raises(DataError, match="hold out 2 of 3"):
        hold_out([("a", "x"), ("b", "x"), ("c", "x"), ("A ", "y")], 2, 0)
