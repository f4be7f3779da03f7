"""Span corruption. Authority: the numbers of T5's paper and code, and putting a text together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.span_corruption import (
    SpanSettings,
    corrupt_spans,
    corrupted_lengths,
    count_spans,
    raw_length,
)

T5 = SpanSettings(share=0.15, mean_length=3.0)
SENTINELS = np.arange(9000, 9500)


def corrupt(n, settings=T5, seed=0):
    return corrupt_spans(np.arange(n), settings, SENTINELS, np.random.default_rng(seed))


def test_the_lengths_are_those_of_t5():
    """512 input tokens, the end token included, come from 568; the released code prints both.

    Its target has 114 tokens with the end token. The paper's has one more sentinel.
    """
    assert raw_length(512 - 1, T5) == 568
    assert corrupted_lengths(568, T5) == (512 - 1, 114 - 1 + 1)
    assert count_spans(568, T5) == (85, 28)


def test_the_example_of_the_paper():
    """Figure 2; its spans are one of 72 choices, which is drawn here."""
    words = np.array(
        ["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week", "."]
    )
    marks = np.array(["<X>", "<Y>", "<Z>"])
    for seed in range(2000):
        source, target = corrupt_spans(
            words, SpanSettings(3 / 11, 1.5), marks, np.random.default_rng(seed)
        )
        if " ".join(target) == "<X> for inviting <Y> last <Z>":
            assert " ".join(source) == "Thank you <X> me to your party <Y> week ."
            return
    pytest.fail("none of 2,000 draws has these spans")


@given(st.integers(2, 300), st.integers(0, 99), st.floats(0.01, 0.99), st.floats(1.0, 12.0))
def test_source_and_target_make_up_the_text(n, seed, share, mean):  # authority: the definition
    settings = SpanSettings(share, mean)
    source, target = corrupt(n, settings, seed)
    n_spans = count_spans(n, settings)[1]
    marks = target[target >= 9000]
    assert marks.tolist() == SENTINELS[: n_spans + 1].tolist()
    assert source[source >= 9000].tolist() == SENTINELS[:n_spans].tolist()
    spans = np.split(target, np.flatnonzero(target >= 9000))[1:]
    text = [i for token in source for i in (spans[token - 9000][1:] if token >= 9000 else [token])]
    assert text == list(range(n))
    assert all(len(span) > 1 for span in spans[:-1])  # none is empty
    assert (len(source), len(target)) == corrupted_lengths(n, settings)


@given(st.integers(3, 400), st.floats(0.05, 0.6), st.floats(1.0, 6.0))
def test_raw_length_is_the_largest_that_fits(most, share, mean):  # authority: brute force
    settings = SpanSettings(share, mean)
    fitting = [n for n in range(2, 2 * most + 40) if corrupted_lengths(n, settings).source <= most]
    largest = 2
    while largest + 1 in fitting:
        largest += 1
    assert raw_length(most, settings) == largest


def test_shares_and_spans_are_those_of_the_paper():
    """15 % of the tokens, spans of 3 on average (section 3.3.4)."""
    lengths, n_corrupted = [], 0
    for seed in range(200):
        _, target = corrupt(568, seed=seed)
        spans = np.split(target, np.flatnonzero(target >= 9000))[1:-1]
        lengths += [len(span) - 1 for span in spans]
        n_corrupted += sum(len(span) - 1 for span in spans)
    assert n_corrupted / (200 * 568) == pytest.approx(0.15, abs=0.001)
    assert np.mean(lengths) == pytest.approx(3.0, abs=0.05)


def test_all_choices_of_spans_are_equally_likely():
    """9 tokens, 3 of them in 2 spans: 2 ways to cut 3, and 21 positions between the other 6."""
    settings, counts = SpanSettings(1 / 3, 1.5), {}
    assert count_spans(9, settings) == (3, 2)
    for seed in range(8400):
        key = tuple(corrupt(9, settings, seed).source.tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 42
    # Binomial with p = 1 / 42: 4.5 standard deviations.
    assert max(abs(n - 200) for n in counts.values()) < 4.5 * (200 * 41 / 42) ** 0.5
