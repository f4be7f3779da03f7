"""Alignment scores against hand counts and brute force; the format against its own inverse."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import DataError
from pellucid.metrics.alignment import (
    alignment_error_rate,
    format_pharaoh,
    parse_pharaoh,
    read_pharaoh,
)

LINKS = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)
CORPUS = st.lists(st.tuples(LINKS, LINKS), min_size=1, max_size=4)


def test_by_hand():  # authority: counted by hand with Och and Ney 2003, equation 27
    predicted = [{(0, 0), (1, 1), (2, 1)}, {(0, 1)}]
    gold = [{(0, 0), (1, 1)}, {(0, 0), (0, 1), (1, 2)}]
    score = alignment_error_rate(predicted, gold)
    assert score.precision == pytest.approx(3 / 4)
    assert score.recall == pytest.approx(3 / 5)
    assert score.error_rate == pytest.approx(1 - (3 + 3) / (4 + 5))


@given(CORPUS)
def test_is_the_definition(corpus):  # authority: brute force over every possible link
    predicted = [p for p, _ in corpus]
    gold = [g for _, g in corpus]
    every = [(n, i, j) for n in range(len(corpus)) for i in range(7) for j in range(7)]
    a = sum((i, j) in predicted[n] for n, i, j in every)
    s = sum((i, j) in gold[n] for n, i, j in every)
    both = sum((i, j) in predicted[n] and (i, j) in gold[n] for n, i, j in every)
    if s == 0:
        with pytest.raises(DataError, match="no gold link"):
            alignment_error_rate(predicted, gold)
        return
    score = alignment_error_rate(predicted, gold)
    assert score.error_rate == pytest.approx(1 - (both + both) / (a + s))
    assert score.precision == pytest.approx(both / a if a else 0)
    assert score.recall == pytest.approx(both / s)


def test_repeated_links_count_once():  # authority: alignments are sets
    assert alignment_error_rate([[(0, 0), (0, 0)]], [[(0, 0)]]).error_rate == 0


def test_sentences_must_agree():
    with pytest.raises(DataError, match="1 predicted alignments but 2 gold"):
        alignment_error_rate([{(0, 0)}], [{(0, 0)}, {(1, 1)}])


@given(LINKS)
def test_format_and_parse_are_inverse(links):  # authority: algebra
    assert set(parse_pharaoh(format_pharaoh(links))) == links


def test_format_is_sorted():  # authority: the Pharaoh format as fast_align and Moses write it
    assert format_pharaoh([(10, 0), (2, 3), (2, 1)]) == "2-1 2-3 10-0"
    assert parse_pharaoh("") == []


@pytest.mark.parametrize("bad", ["0", "0-", "-1", "0-1-2", "a-b", "0--1", "0-²", "0-" + "9" * 5000])
def test_bad_links_name_file_and_line(bad):
    with pytest.raises(DataError, match=r"gold:2: .* no alignment link"):
        read_pharaoh(["0-0 1-1", f"0-0 {bad}"], "gold")


@given(st.text())
def test_any_text_is_links_or_a_data_error(text):  # authority: the one documented error
    with contextlib.suppress(DataError):
        parse_pharaoh(text)
