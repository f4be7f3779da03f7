"""Authority, unless a test names another: `reference.py`, NumPy float64 from the paper's eq. 1."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nn.reference import multi_head, scaled_dot_product, weights_of
from nn.samples import max_difference, randomize, small
from pellucid.nn import kernels
from pellucid.nn.attention import Attention, CrossAttention, Memory, SelfAttention
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.taps import edit, record

B, T, S, D = 3, 5, 6, 16
KEEP = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
MASKS = {
    "all": MaskTensors(Mask()),
    "padding": MaskTensors(Mask(keep=KEEP)),
    "causal": MaskTensors(Mask(causal=True)),
    "causal-padding": MaskTensors(Mask(keep=KEEP, causal=True)),
    "later": MaskTensors(Mask(causal=True, offset=1)),
    "window": MaskTensors(Mask(causal=True, window=2)),
}


def made(kind: type[Attention] = SelfAttention, **changes: object) -> Attention:
    attention = kind(small(**changes))
    randomize(attention)
    return attention


def heads(n: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(B, 4, n, 4, generator=torch.Generator().manual_seed(seed)).to(dtype)


def vectors(n: int, seed: int = 0) -> Tensor:
    return torch.randn(B, n, D, generator=torch.Generator().manual_seed(seed))


def brute_allowed(tensors: MaskTensors, t: int, s: int) -> np.ndarray:
    mask = tensors.mask
    allowed = np.ones((B, t, s), bool)
    for b, i, j in np.ndindex(allowed.shape):
        place = mask.offset + i
        near = j <= place and (not mask.window or place - j < mask.window)
        allowed[b, i, j] = (not mask.causal or near) and (mask.keep is None or mask.keep[b, j])
    return allowed


def expected(q: Tensor, k: Tensor, v: Tensor, allowed: np.ndarray) -> Tensor:
    """The reference's context with heads joined, (B, T, D)."""
    rows = []
    for b in range(B):
        each = [
            scaled_dot_product(*(x[b, h].double().numpy() for x in (q, k, v)), allowed[b])
            for h in range(q.shape[1])
        ]
        rows.append(np.concatenate(each, 1))
    return torch.from_numpy(np.stack(rows))


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("path", ["fused", "explicit", "listened"])
def test_both_paths_are_the_formula(name, path, monkeypatch):
    mask, attention = MASKS[name], made()
    q, k, v = heads(T, 0), heads(S, 1), heads(S, 2)
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: path == "explicit")
    if path == "listened":
        with record(attention) as seen:
            context = attention.attend(q, k, v, mask)
        assert seen["weights"][0].shape == (B, 4, T, S)
    else:
        context = attention.attend(q, k, v, mask)
    assert max_difference(context, expected(q, k, v, brute_allowed(mask, T, S))) <= 1e-5


@pytest.mark.parametrize("explicit", [False, True])
def test_square_causal_is_the_formula(explicit, monkeypatch):  # the fused kernel's own triangle
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    mask = MaskTensors(Mask(causal=True))
    q, k, v = heads(T, 0), heads(T, 1), heads(T, 2)
    context = made().attend(q, k, v, mask)
    assert max_difference(context, expected(q, k, v, brute_allowed(mask, T, T))) <= 1e-5


@pytest.mark.parametrize("explicit", [False, True])
def test_bf16_stays_near_the_formula(explicit, monkeypatch):  # bound: specs/reliability D7
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    q, k, v = (heads(n, i, torch.bfloat16) for i, n in enumerate((T, S, S)))
    context = made().attend(q, k, v, MASKS["padding"])
    exact = expected(q, k, v, brute_allowed(MASKS["padding"], T, S))
    assert context.dtype == torch.bfloat16
    assert max_difference(context, exact) <= 1e-2 * float(exact.abs().max())


@pytest.mark.parametrize("split", ["projection", "slice"])
@pytest.mark.parametrize("name", ["all", "padding", "causal-padding"])
def test_self_attention_is_the_formula(split, name):
    attention, x, mask = made(head_split=split), vectors(S), MASKS[name]
    exact = multi_head(
        small(head_split=split),
        weights_of(attention),
        x.double().numpy(),
        x.double().numpy(),
        brute_allowed(mask, S, S),
    )
    assert max_difference(attention(x, mask), torch.from_numpy(exact)) <= 1e-5
    with torch.no_grad():
        assert max_difference(attention(x, mask), torch.from_numpy(exact)) <= 1e-5


@pytest.mark.parametrize("split", ["projection", "slice"])
def test_cross_attention_is_the_formula(split):
    attention, x, memory = made(CrossAttention, head_split=split), vectors(T), vectors(S, 1)
    exact = multi_head(
        small(head_split=split),
        weights_of(attention),
        x.double().numpy(),
        memory.double().numpy(),
        brute_allowed(MASKS["padding"], T, S),
    )
    for inputs in (memory, attention.read(memory)):
        assert (
            max_difference(attention(x, Memory(inputs, MASKS["padding"])), torch.from_numpy(exact))
            <= 1e-5
        )


@pytest.mark.parametrize("n_heads", [1, 4])
@pytest.mark.parametrize("t", [1, 3])
def test_rows_of_one_source_may_share_its_memory(n_heads, t):  # authority: a copy of it per row
    attention = made(CrossAttention, n_heads=n_heads)
    memory, mask = vectors(S, 1), MASKS["padding"]
    x = torch.randn(2 * B, t, D)
    copied = attention(
        x,
        Memory(
            memory.repeat_interleave(2, 0), MaskTensors(Mask(keep=KEEP.repeat_interleave(2, 0)))
        ),
    )
    assert max_difference(attention(x, Memory(attention.read(memory), mask)), copied) <= 1e-5
    with torch.no_grad():
        assert max_difference(attention(x, Memory(attention.read(memory), mask)), copied) <= 1e-5


def test_sliced_heads_see_only_their_slice():  # authority: algebra, a change elsewhere is unseen
    attention, x = made(head_split="slice"), vectors(T)
    other = x.clone()
    other[..., 4:] += 1.0
    with record(attention) as first:
        attention(x, MaskTensors(Mask()))
    with record(attention) as second:
        attention(other, MaskTensors(Mask()))
    for name in ("queries", "keys", "values", "context"):
        a, b = first[name][0], second[name][0]
        assert max_difference(a[:, 0], b[:, 0]) <= 1e-6
        assert max_difference(a[:, 1], b[:, 1]) > 1e-2


def test_taps_hold_what_their_names_say():  # authority: algebra on the recorded tensors
    attention, x = made(), vectors(T)
    with record(attention) as seen:
        out = attention(x, MASKS["causal"])
    q, k, v, scores, weights, context = (
        seen[name][0] for name in ("queries", "keys", "values", "scores", "weights", "context")
    )
    above = torch.ones(T, T).triu(1).bool()
    assert (
        max_difference(
            scores.masked_fill(above, 0), (q @ k.mT / math.sqrt(4)).masked_fill(above, 0)
        )
        < 1e-5
    )
    assert (scores[..., above] == float("-inf")).all()
    assert (weights[..., above] == 0).all()
    assert max_difference(weights.sum(-1), torch.ones(B, 4, T)) <= 1e-6
    assert max_difference(context, weights @ v) <= 1e-6
    assert max_difference(out, attention.o(context.transpose(1, 2).flatten(2))) <= 1e-6


@pytest.mark.parametrize("explicit", [False, True])
def test_fully_masked_rows_are_zero_with_finite_gradients(explicit, monkeypatch):  # D6, definition
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    q, k, v = (heads(n, i).requires_grad_() for i, n in enumerate((T, S, S)))
    context = made().attend(q, k, v, MASKS["padding"])
    assert (context[2] == 0).all()
    assert (context[0] != 0).all()
    grads = torch.autograd.grad(context.square().sum() + context.sum(), (q, k, v))
    for grad in grads:
        assert grad.isfinite().all()
        assert (grad[2] == 0).all()
        assert grad[0].abs().max() > 0


@pytest.mark.parametrize("explicit", [False, True])
def test_gradients_of_both_paths(explicit, monkeypatch):  # authority: finite differences, float64
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    q, k, v = (heads(2, i, torch.float64)[:2, :2].requires_grad_() for i in range(3))
    mask = MaskTensors(Mask(keep=torch.tensor([[True, True], [True, False]]), causal=True))
    attention = made(d_model=8, n_heads=2)
    assert torch.autograd.gradcheck(lambda *qkv: attention.attend(*qkv, mask), (q, k, v))


def test_dropout_falls_on_the_weights_in_training_only():  # authority: its definition
    attention, x = made(attention_dropout=0.5), vectors(T)
    attention.train()
    with record(attention) as seen:
        attention(x, MaskTensors(Mask()))
    weights, v, context = (seen[name][0] for name in ("weights", "values", "context"))
    assert (
        max_difference(weights.sum(-1), torch.ones(B, 4, T)) <= 1e-6
    )  # the tap stands before dropout
    assert max_difference(context, weights @ v) > 1e-2
    eye = torch.eye(T, 4).expand(B, 4, T, 4)  # shows the first four weights as they are used
    with edit(attention, "values", lambda path, v: eye), record(attention, "context") as seen:
        attention(x, MaskTensors(Mask()))
    ratio = seen["context"][0] / weights[..., :4]
    assert ((ratio == 0) | ((ratio - 2).abs() < 1e-5)).all()
    assert 0.3 < float((ratio == 0).float().mean()) < 0.7


@pytest.mark.parametrize("explicit", [False, True])
def test_dropout_on_both_paths(explicit, monkeypatch):  # authority: evaluation draws nothing
    monkeypatch.setattr(kernels, "prefers_matmul", lambda *_: explicit)
    attention, x = made(attention_dropout=0.5), vectors(T)
    undropped = made()(x, MaskTensors(Mask()))
    assert max_difference(attention.eval()(x, MaskTensors(Mask())), undropped) <= 1e-5
    mean = torch.stack([attention.train()(x, MaskTensors(Mask())) for _ in range(400)]).mean(0)
    assert max_difference(attention(x, MaskTensors(Mask())), undropped) > 1e-2
    assert max_difference(mean, undropped) <= 0.3
