"""A copy of a model whose graph holds for any batch, length and padding, for ONNX and compilers."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.nn.attention import CrossAttention, SelfAttention
from pellucid.nn.base import Model
from pellucid.nn.embedding import Embedding
from pellucid.nn.linear import Linear, concatenate
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.positions import LearnedPositions, SinusoidalPositions
from pellucid.nn.stack import Stack


class FiniteMask(MaskTensors):
    """Masks scores with the lowest number, not -inf: the states of padding are finite then.

    ONNX has no softmax for queries without a key. Sizes are symbols, which no dictionary holds.
    """

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self._bias: Tensor | None = None

    def bias(self, like: Tensor, n_queries: int, n_keys: int) -> Tensor | None:
        if self._bias is None:
            allowed = self.mask.allowed(n_queries, n_keys, like.device)
            if allowed is not None:
                lowest = torch.finfo(like.dtype).min
                self._bias = torch.zeros((), dtype=like.dtype).masked_fill(~allowed, lowest)
        return self._bias


class PositionTable(nn.Module):
    """Position vectors as a table of fixed size, without checks that depend on the input."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=False)  # (n_positions, D)

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        """Return the vectors (..., D) of positions `index`."""
        return self.table[index]


def copy_for_tracing(model: Model) -> Model:
    """Return a copy in float32 on the CPU, with joined projections and tables of positions.

    int8 needs a weight that is a constant of the file, and a concatenation is none.
    """
    copied = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    for module in list(copied.modules()):
        if isinstance(module, Stack):
            module.mask_tensors = FiniteMask
        elif isinstance(module, SelfAttention):
            module.qkv = _join((module.q, module.k, module.v))
        elif isinstance(module, CrossAttention):
            module.kv = _join((module.k, module.v))
        elif isinstance(module, Embedding):
            module.positions = _to_table(module.positions, model.config)
    return copied


def _to_table(positions: nn.Module, c: Any) -> nn.Module:
    if isinstance(positions, SinusoidalPositions):
        return PositionTable(positions.compute(c.max_length))
    if isinstance(positions, LearnedPositions):
        return PositionTable(positions.weight[positions.first :])
    return positions


def _join(linears: Sequence[Linear]) -> Linear:
    """Return one layer that computes several layers of one input."""
    weight, bias = concatenate(linears)
    joined = Linear(weight.shape[1], weight.shape[0], bias is not None)
    joined.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        joined.bias = nn.Parameter(bias, requires_grad=False)
    return joined
