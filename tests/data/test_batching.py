"""Batches by token count. Authority: brute force over every batch and every pair."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.batching import (
    Batches,
    epoch_batches,
    evaluation_batches,
    fixed_size_batches,
    stream_batches,
)
from pellucid.errors import ConfigError

LENGTHS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=80)


def array(lengths) -> np.ndarray:
    return np.array(lengths, np.int32)


@given(LENGTHS, st.integers(30, 200), st.integers(0, 5), st.integers(0, 5))
def test_every_pair_once_in_batches_that_fit(lengths, max_tokens, seed, epoch):
    batches = epoch_batches(array(lengths), max_tokens, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(max(lengths[i]) for i in batch) <= max_tokens


@given(LENGTHS, st.integers(30, 200))
def test_batches_are_full_and_of_like_length(lengths, max_tokens):
    longest = [max(pair) for pair in lengths]
    batches = sorted(
        ([longest[i] for i in batch] for batch in epoch_batches(array(lengths), max_tokens, 0, 0)),
        key=lambda batch: (batch[0], batch[-1], -len(batch)),
    )
    assert [n for batch in batches for n in batch] == sorted(longest)
    for batch, after in itertools.pairwise(batches):  # the next pair would not have fitted in
        assert (len(batch) + 1) * after[0] > max_tokens


def test_a_function_of_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(1, 40, (2000, 2)).astype(np.int32)

    def order(seed, epoch):
        return [batch.tolist() for batch in epoch_batches(lengths, 256, seed, epoch)]

    assert order(1, 2) == order(1, 2)
    plans = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len({str(p) for p in plans}) == len(plans)
    # Who meets whom changes as well, not the order of batches alone.
    assert {tuple(sorted(b)) for b in plans[0]} != {tuple(sorted(b)) for b in plans[1]}
    firsts = [np.mean([lengths[i].max() for i in p[0]]) for p in plans]
    assert len(set(firsts)) > 3  # not always the shortest first


@given(LENGTHS, st.integers(0, 60))
def test_starting_anywhere_is_the_same_stream(lengths, start):
    def take(start, n):
        batches = Batches(array(lengths), 64, 3).iterate_from(start)
        return [(epoch, batch.tolist()) for epoch, batch in itertools.islice(batches, n)]

    assert take(start, 20) == take(0, start + 20)[start:]
    whole = epoch_batches(array(lengths), 64, 3, 0) + epoch_batches(array(lengths), 64, 3, 1)
    assert [batch for _, batch in take(0, len(whole))] == [batch.tolist() for batch in whole]
    assert [epoch for epoch, _ in take(0, len(whole))].count(0) == len(whole) // 2


@given(LENGTHS, st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_batches_of_a_fixed_size(lengths, n_rows, seed, epoch):
    batches = fixed_size_batches(array(lengths), n_rows, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert sorted(map(len, batches))[1:] == [n_rows] * (len(batches) - 1)
    assert len(batches) == Batches(array(lengths), 0, seed, "length", n_rows).n_batches


def test_batches_of_a_fixed_size_have_similar_lengths_and_change():
    lengths = np.random.default_rng(0).integers(1, 100, (4000, 1)).astype(np.int32)

    def batches(epoch):
        return [batch.tolist() for batch in fixed_size_batches(lengths, 16, 1, epoch)]

    def padding(batches):
        return sum(len(b) * lengths[b].max() for b in batches) / lengths.sum() - 1

    drawn = np.random.default_rng(1).permutation(4000).reshape(-1, 16).tolist()
    assert padding(batches(0)) < 0.1 * padding(drawn)
    assert batches(0) == batches(0)
    neighbours = [{frozenset(b) for b in batches(epoch)} for epoch in (0, 1)]
    assert not neighbours[0] & neighbours[1]  # other examples meet
    firsts = [lengths[b].max() for b in batches(0)]
    assert firsts != sorted(firsts)


def test_batches_of_a_fixed_size_continue_over_epochs():
    batches = Batches(array([(n, 1) for n in range(1, 11)]), 0, 3, "length", 4)
    taken = list(itertools.islice(batches.iterate_from(0), 7))
    assert [epoch for epoch, _ in taken] == [0, 0, 0, 1, 1, 1, 2]
    later = list(itertools.islice(batches.iterate_from(4), 3))
    assert [b.tolist() for _, b in later] == [b.tolist() for _, b in taken[4:]]
    stream = Batches(np.full((11, 1), 10, np.int32), 0, 0, "stream", 4)
    assert [b.tolist() for _, b in itertools.islice(stream.iterate_from(0), 2)] == [
        [0, 2, 4, 6],
        [1, 3, 5, 7],
    ]


def test_a_pair_too_long_for_any_batch():
    lengths = array([[3, 4], [5, 70], [6, 6]])
    with pytest.raises(ConfigError, match=r"example 1 has 70 tokens.*max_tokens=64.*max_length"):
        epoch_batches(lengths, 64, 0, 0)
    with pytest.raises(ConfigError, match="example 1"):
        next(Batches(lengths, 64, 0).iterate_from(0))
    assert len(epoch_batches(lengths, 70, 0, 0)) == 2


def test_nothing_to_batch():
    assert epoch_batches(np.zeros((0, 2), np.int32), 64, 0, 0) == []
    with pytest.raises(ConfigError, match="no examples"):
        next(Batches(np.zeros((0, 2), np.int32), 64, 0).iterate_from(0))


@given(LENGTHS)
def test_evaluation_takes_every_example_once_however_long(lengths):
    batches = evaluation_batches(array([(9 * a, b) for a, b in lengths] + [(5000, 1)]))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths) + 1))
    assert list(evaluation_batches(np.zeros((0, 1), np.int32))) == []


@given(st.integers(1, 60), st.integers(10, 200))
def test_streams_are_contiguous(n, max_tokens):  # authority: the definition
    batches = stream_batches(np.full((n, 1), 10, np.int32), max_tokens)
    rows = np.stack(batches, axis=1)  # (rows, batches)
    assert rows.shape[0] == min(max_tokens // 10, n)
    assert (np.diff(rows, axis=1) == 1).all()  # each row goes on where it was
    assert rows.flatten().tolist() == list(range(rows.size))
    assert n - rows.size < rows.shape[0]  # nothing is left out but a remainder
    order = Batches(np.full((n, 1), 10, np.int32), max_tokens, 0, "stream")
    again = [
        b.tolist() for _, b in itertools.islice(order.iterate_from(len(batches)), len(batches))
    ]
    assert again == [batch.tolist() for batch in batches]
