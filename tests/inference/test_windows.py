"""Authority: every window tried for each word."""

import random

import pytest

from pellucid.inference.windows import word_windows


def random_words(rng):
    """First pieces of words of one to six pieces, and how many pieces there are."""
    lengths = rng.choices([1, 1, 2, 3, 6], k=rng.randint(1, 60))
    first = [sum(lengths[:i]) for i in range(len(lengths))]
    return first, sum(lengths)


@pytest.mark.parametrize("causal", [False, True])
def test_each_word_is_read_where_it_has_most_context(causal):
    rng = random.Random(0)
    for _ in range(300):
        (first, n), room = random_words(rng), rng.randint(1, 20)
        windows = word_windows(first, n, room, causal)
        assert [word for window in windows for word in window.words] == list(range(len(first)))
        for pieces, words in windows:
            assert 0 < len(pieces) <= room
            assert pieces.start in first
            for word in words:
                contexts = [context(other, first[word], n, causal) for other, _ in windows]
                assert context(pieces, first[word], n, causal) == max(contexts)


def context(pieces, piece, n, causal):
    if piece not in pieces:
        return -1
    before = piece - pieces.start if pieces.start else n
    after = n if causal or pieces.stop == n else pieces.stop - 1 - piece
    return min(before, after)


def test_a_word_far_from_the_ends_has_context_on_both_sides():
    first = list(range(1000))
    for pieces, words in word_windows(first, 1000, 100):
        for word in words:
            assert word - pieces.start >= 25 or not pieces.start
            assert pieces.stop - 1 - word >= 24 or pieces.stop == 1000


def test_what_fits_is_one_window():
    assert word_windows([0, 2, 3], 5, 5) == [(range(5), range(3))]
    assert word_windows([0, 2, 3], 5, 0) == [(range(5), range(3))]
    assert word_windows([], 0, 5) == [(range(0), range(0))]


def test_a_word_longer_than_a_window_is_cut():
    assert word_windows([0], 50, 8) == [(range(8), range(1))]
    windows = word_windows([0, 1, 41], 42, 8)
    assert [len(words) for _, words in windows] == [2, 1]
    assert windows[-1].pieces == range(41, 42)
