"""Batches of rows and their padding.  Authority: brute force over lists."""

import random

import numpy as np
import pytest
import torch

from pellucid.nn.padding import batches, pad_batch, pad_rows


@pytest.mark.parametrize("max_tokens", [0, 7, 140, 1000])
@pytest.mark.parametrize("max_rows", [0, 1, 32])
def test_batches_hold_each_row_once_and_as_many_as_fit(max_rows, max_tokens):
    rng = random.Random(max_tokens)
    lengths = [rng.randrange(0, 30) for _ in range(200)]
    parts = list(batches(lengths, max_rows=max_rows, max_tokens=max_tokens))
    order = [i for batch in parts for i in batch]
    assert order == sorted(range(200), key=lambda i: -lengths[i])

    def fits(n, longest):
        rows_fit = not max_rows or n <= max_rows
        return rows_fit and (n == 1 or not max_tokens or n * longest <= max_tokens)

    for batch, after in zip(parts, [*parts[1:], []], strict=True):
        assert fits(len(batch), lengths[batch[0]])
        assert not after or not fits(len(batch) + 1, lengths[batch[0]])
    assert list(batches([], max_rows=max_rows, max_tokens=max_tokens)) == []


@pytest.mark.parametrize("left", [False, True])
def test_rows_are_padded_on_one_side(left):
    rows = [[5, 6, 7], [], [8]]
    expected = [[0, 0, 0], [0, 0, 8]] if left else [[0, 0, 0], [8, 0, 0]]
    assert pad_rows(rows, 0, left=left).tolist() == [[5, 6, 7], *expected]
    ids, keep = pad_batch(rows, 9, torch.device("cpu"), left=left)
    assert keep is not None
    assert np.array_equal(ids.numpy(), pad_rows(rows, 9, left=left))
    for row, mask, real in zip(ids, keep, rows, strict=True):
        assert row[mask].tolist() == real
    assert pad_batch([[1, 2], [3, 4]], 0, torch.device("cpu"), left=left)[1] is None
    assert pad_rows([], 0).shape == (0, 0)
