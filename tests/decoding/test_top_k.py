"""Authorities: torch.topk and a stable sort over everything."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pellucid.decoding.top_k import WIDTH, best_continuations, find_largest

INF = float("inf")


def everything(logits: Tensor, scores: Tensor, excluded: list[int]) -> Tensor:
    """(B, k * V) values of all continuations, excluded ones at -inf."""
    values = logits.log_softmax(-1).view(*scores.shape, -1) + scores[:, :, None]
    values[:, :, excluded] = -INF
    return values.flatten(1)


def check(logits: Tensor, scores: Tensor, excluded: list[int], n: int, width: int = 16) -> None:
    actual = best_continuations(logits, scores, torch.tensor(excluded, dtype=torch.int64), n, width)
    expected = everything(logits, scores, excluded)
    n_all = min(n, expected.shape[1])
    values = torch.from_numpy(actual.values)
    assert torch.equal(values[:, :n_all], expected.topk(n_all).values)
    assert (values[:, n_all:] == -INF).all()
    ids = torch.from_numpy(actual.parents * logits.shape[1] + actual.tokens)
    order = expected.sort(dim=-1, descending=True, stable=True).indices[:, :n_all]
    real = values[:, :n_all] > -INF
    assert torch.equal(ids[:, :n_all][real], order[real])


@pytest.mark.parametrize("vocab_size", [1, 2, 63, 64, 65, 257, 1000])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_a_full_sort(vocab_size, k, ties):
    rng = torch.Generator().manual_seed(vocab_size + k)
    for n in (1, 2, 8, 40):
        logits = 4 * torch.randn(3 * k, vocab_size, generator=rng)
        scores = -3 * torch.rand(3, k, generator=rng)
        if ties:  # few distinct values, and rows that repeat one another
            logits, scores = logits.round(), scores.round()
            logits[1::2] = logits[0]
        excluded = torch.randint(vocab_size, (3,), generator=rng).tolist() if vocab_size > 4 else []
        for out in ([], excluded, [0, vocab_size - 1] if vocab_size > 4 else []):
            check(logits, scores, out, n)


def test_excluded_tokens_that_are_best_take_no_place():
    logits = torch.zeros(2, 400).scatter_(1, torch.tensor([[5, 90, 200], [5, 90, 200]]), 9.0)
    logits += torch.arange(400) * 1e-3
    check(logits, torch.zeros(1, 2), [5, 90, 200], 6)
    check(logits, torch.zeros(1, 2), list(range(0, 400, 7)), 6)


def test_excluded_rows_are_never_candidates():
    logits = torch.randn(6, 300, generator=torch.Generator().manual_seed(0))
    scores = torch.tensor([[0.0, -INF, -1.0], [-INF, -INF, -2.0]])
    check(logits, scores, [1, 2], 8)
    actual = best_continuations(logits, scores, torch.tensor([1, 2]), 8, 16)
    assert set(actual.parents[1].tolist()) == {2}


def test_all_values_equal():
    check(torch.zeros(4, 500), torch.zeros(2, 2), [0, 3], 7)


def test_sixteen_bit_values():  # what a bf16 model gives: ties everywhere
    rng = torch.Generator().manual_seed(3)
    for _ in range(20):
        logits = (3 * torch.randn(10, 700, generator=rng)).bfloat16().float()
        check(logits, torch.zeros(2, 5), [0, 1], 10, width=32)


def test_logits_are_not_changed():
    logits = torch.randn(4, 300)
    before = logits.clone()
    best_continuations(logits, torch.zeros(2, 2), torch.tensor([0]), 4, 16)
    assert torch.equal(logits, before)


@pytest.mark.parametrize("b", [1, 3])
def test_real_sizes(b):
    logits = 3 * torch.randn(3 * b, 8003, generator=torch.Generator().manual_seed(b))
    check(logits, torch.zeros(b, 3), [0, 1, 8002], 10, WIDTH)


def test_result_is_on_the_host():
    none = torch.tensor([], dtype=torch.int64)
    actual = best_continuations(torch.randn(2, 50), torch.zeros(1, 2), none, 4)
    assert all(isinstance(x, np.ndarray) for x in actual)
    assert actual.values.dtype == np.float32


@pytest.mark.parametrize("n", [1, 3, 7, 12])
def test_the_largest_values_are_those_of_a_stable_sort(n):
    generator = torch.Generator().manual_seed(n)
    values = torch.randint(4, (12,), generator=generator).double()  # many are equal
    assert find_largest(values, n).tolist() == sorted(range(12), key=lambda i: -values[i])[:n]


@pytest.mark.parametrize("special", [float("nan"), float("inf"), -float("inf")])
def test_the_largest_of_values_that_differ(special):
    values = torch.tensor([3.0, special, 5.0, 4.0, special, -1.0])
    key = np.nan_to_num(values.numpy(), nan=np.inf)  # NaN counts as the largest
    assert find_largest(values, 4).tolist() == sorted(range(6), key=lambda i: -key[i])[:4]
    assert find_largest(torch.arange(9.0), 9).tolist() == [*range(8, -1, -1)]
