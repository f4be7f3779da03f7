"""Authority: brute force over every query and key, from the definition of each field."""

from itertools import product

import pytest
import torch

from pellucid.nn.masks import Mask, MaskTensors, keep_from

CPU = torch.device("cpu")
KEEP = torch.tensor([[1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [0, 0, 0, 0, 0]]).bool()
CASES = [*product((False, True), (False, True), (0, 1, 4), (0, 1, 2, 5), (1, 3, 5), (1, 2, 5))]


def brute(mask: Mask, t: int, s: int) -> torch.Tensor:
    rows = 1 if mask.keep is None else len(mask.keep)
    allowed = torch.zeros(rows, 1, t, s, dtype=torch.bool)
    for b, i, j in product(range(rows), range(t), range(s)):
        real = mask.keep is None or bool(mask.keep[b, j])
        place = mask.offset + i
        past = not mask.causal or j <= place
        near = not mask.causal or not mask.window or j > place - mask.window
        allowed[b, 0, i, j] = real and past and near
    return allowed


@pytest.mark.parametrize(("keep", "causal", "offset", "window", "t", "s"), CASES)
def test_allowed_bias_and_empty(keep, causal, offset, window, t, s):
    mask = Mask(keep=KEEP[:, :s] if keep else None, causal=causal, offset=offset, window=window)
    exact = brute(mask, t, s)
    allowed = mask.allowed(t, s, CPU)
    if allowed is None:
        assert exact.all()
    else:
        assert torch.equal(allowed.expand(exact.shape), exact)
    tensors = MaskTensors(mask)
    bias = tensors.bias(torch.zeros(1, dtype=torch.float64), t, s)
    if bias is not None:
        assert bias.dtype == torch.float64
        assert torch.equal(bias.expand(exact.shape) == 0, exact)
        assert (bias.expand(exact.shape)[~exact] == float("-inf")).all()
    else:
        assert exact.all()
    empty = tensors.empty(t, s, CPU)
    rows = ~exact.any(-1, keepdim=True)
    assert not rows.any() if empty is None else torch.equal(empty.expand(rows.shape), rows)


@pytest.mark.parametrize(("keep", "causal", "offset", "window", "t", "s"), CASES)
def test_plainly_causal_only_where_it_is_the_triangle(keep, causal, offset, window, t, s):
    mask = Mask(keep=KEEP[:, :s] if keep else None, causal=causal, offset=offset, window=window)
    if mask.is_lower_triangular(t, s):
        assert torch.equal(brute(mask, t, s)[0, 0], torch.ones(t, s).tril().bool())
        assert t == s


def test_plainly_causal_is_found():
    assert Mask(causal=True).is_lower_triangular(4, 4)
    assert Mask(causal=True, window=4).is_lower_triangular(4, 4)
    assert not Mask(causal=True, window=3).is_lower_triangular(4, 4)
    assert not Mask().is_lower_triangular(4, 4)


def test_one_tensor_serves_all_layers():  # authority: the promise of `MaskTensors`
    mask = MaskTensors(Mask(keep=KEEP, causal=True))
    like = torch.zeros(1)
    assert mask.allowed(5, 5, CPU) is mask.allowed(5, 5, CPU)
    assert mask.bias(like, 5, 5) is mask.bias(like, 5, 5)
    assert mask.empty(5, 5, CPU) is mask.empty(5, 5, CPU)
    assert mask.allowed(3, 5, CPU).shape[2] == 3  # another size is another tensor
    assert mask.bias(like.double(), 5, 5).dtype == torch.float64


def test_with_window_narrows_a_copy():
    mask = Mask(keep=KEEP, causal=True, offset=2)
    wide = mask.allowed(3, 5, CPU)
    narrow = mask.with_window(2)
    assert torch.equal(narrow.allowed(3, 5, CPU), brute(narrow, 3, 5))
    assert narrow.keep is mask.keep
    assert (narrow.offset, narrow.window, mask.window) == (2, 2, 0)
    assert torch.equal(mask.allowed(3, 5, CPU), wide)
    assert not torch.equal(narrow.allowed(3, 5, CPU), wide)


@pytest.mark.parametrize("lengths", [[5, 5], [5, 1], [0, 3], [5]])
def test_keep_from_lengths(lengths):
    keep = keep_from(torch.tensor(lengths), 5)
    if min(lengths) == 5:
        assert keep is None
    else:
        assert keep.tolist() == [[j < n for j in range(5)] for n in lengths]
