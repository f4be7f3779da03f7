"""Scaled dot-product and multi-head attention (Vaswani et al. 2017, section 3.2)."""

from typing import NamedTuple, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn import kernels
from pellucid.nn.dropout import dropout
from pellucid.nn.linear import BlockDiagonalLinear, Linear, project
from pellucid.nn.masks import MaskTensors
from pellucid.nn.packed_linear import LinearFunction
from pellucid.taps import Tap


class KeysValues(NamedTuple):
    """Keys and values of attention."""

    k: Tensor  # (B, H, S, K)
    v: Tensor  # (B, H, S, K)


class Memory(NamedTuple):
    """The source of cross-attention: an encoder's output and its mask."""

    states: Tensor | KeysValues  # (B, S, D), or one layer's keys and values of it
    mask: MaskTensors


class Slots(Protocol):
    """One layer's part of a key/value cache."""

    def append(self, kv: Tensor) -> KeysValues:
        """Append kv (R, T, 2, H, K) and return all keys and values, each (R, H, length, K)."""
        ...


class Attention(nn.Module):
    """H heads of softmax(q k^T / sqrt(K)) v over projections of width K, concatenated into o.

    There are two equal paths: the explicit one, in which every intermediate passes a tap, and
    torch's fused kernel. A listener on a tap forces the explicit one.
    """

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.n_heads = c.n_heads
        self.d_head = c.head_width
        self.scale = self.d_head**-0.5 if c.attention_scale == "sqrt" else 1.0
        self.p = c.attention_dropout
        width, bias = self.n_heads * self.d_head, c.bias == "all"
        if c.head_split == "slice":
            self.q, self.k, self.v = (
                BlockDiagonalLinear(c.d_model, c.n_heads, bias) for _ in range(3)
            )
        else:
            self.q, self.k, self.v = (Linear(c.d_model, width, bias) for _ in range(3))
        self.o = Linear(width, c.d_model, c.bias != "none")
        self.queries, self.keys, self.values = Tap(), Tap(), Tap()
        self.scores, self.weights, self.context = Tap(), Tap(), Tap()

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: MaskTensors, distances: Tensor | None = None
    ) -> Tensor:
        """q (B, H, T, K) over k, v (B, H, S, K) -> concatenated heads (B, T, H K), before o.

        distances: (1, H, T, S) to add to the scores, or None.
        """
        is_plain = distances is None and not (self.training and self.p)
        if self._has_listener() or kernels.prefers_matmul(q, k, is_plain):
            context = self._attend_explicit(q, k, v, mask, distances)
        else:
            context = self._attend_fused(q, k, v, mask, distances)
        return context.transpose(1, 2).flatten(2)  # (B, T, H K)

    def _attend_explicit(
        self, q: Tensor, k: Tensor, v: Tensor, mask: MaskTensors, distances: Tensor | None
    ) -> Tensor:
        q, k, v = self.queries(q), self.keys(k), self.values(v)
        size = q.shape[2], k.shape[2]
        scores = (q * self.scale) @ k.mT  # (B, H, T, S)
        if distances is not None:
            scores = scores + distances
        bias = mask.bias(scores, *size)
        if bias is not None:
            scores = scores + bias
        scores = self.scores(scores)
        weights = self.weights(softmax(scores, mask)).to(v.dtype)
        return self.context(dropout(weights, self.p, self.training) @ v)  # (B, H, T, K)

    def _attend_fused(
        self, q: Tensor, k: Tensor, v: Tensor, mask: MaskTensors, distances: Tensor | None
    ) -> Tensor:
        size = q.shape[2], k.shape[2]
        causal = distances is None and mask.mask.is_lower_triangular(*size)
        bias = None if causal else mask.bias(q, *size)
        if distances is not None:
            distances = distances.to(q.dtype)
            bias = distances if bias is None else bias + distances
        p = self.p if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, bias, p, causal, scale=self.scale)

    def _has_listener(self) -> bool:
        return (
            self.weights.listener is not None
            or self.scores.listener is not None
            or self.context.listener is not None
            or self.queries.listener is not None
            or self.keys.listener is not None
            or self.values.listener is not None
        )


def softmax(scores: Tensor, mask: MaskTensors) -> Tensor:
    """Return attention weights of scores (B, H, T, S) that include the mask's bias.

    A query without keys gets zeros: the softmax of -inf alone, and its gradient, would be NaN.
    """
    empty = mask.empty(scores.shape[2], scores.shape[3], scores.device)  # (B, 1, T, 1)
    if empty is None:
        return scores.softmax(-1)
    return scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)


class SelfAttention(Attention):
    """Attention of a text's positions to each other."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c)
        self.qkv: LinearFunction | None = None  # q, k and v in one, in a copy prepared for decoding

    def forward(
        self,
        x: Tensor,
        mask: MaskTensors,
        slots: Slots | None = None,
        distances: Tensor | None = None,
    ) -> Tensor:
        """x (B, T, D) -> (B, T, D); with `slots`, x follows the tokens that they hold."""
        qkv = project(x, (self.q, self.k, self.v)) if self.qkv is None else self.qkv(x)
        if slots is None:
            heads = *x.shape[:2], self.n_heads, self.d_head
            q, k, v = (y.view(heads).transpose(1, 2) for y in qkv.chunk(3, -1))  # (B, H, T, K)
        else:
            qkv = qkv.view(*x.shape[:2], 3, self.n_heads, self.d_head)
            q = qkv.select(2, 0).transpose(1, 2)  # (B, H, T, K)
            k, v = slots.append(qkv.narrow(2, 1, 2))
        return self.o(self.attend(q, k, v, mask, distances))


class CrossAttention(Attention):
    """Attention of the decoder to the encoder's output."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c)
        self.kv: LinearFunction | None = None  # k and v in one, in a copy prepared for decoding

    def read(self, memory: Tensor) -> KeysValues:
        """Return keys and values of memory (B, S, D), computed once for all target positions."""
        kv = project(memory, (self.k, self.v)) if self.kv is None else self.kv(memory)
        kv = kv.unflatten(-1, (2, self.n_heads, self.d_head))  # (B, S, 2, H, K)
        return KeysValues(*kv.permute(2, 0, 3, 1, 4))

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """x (R, T, D) -> (R, T, D), where R = B * k rows share B memories, k rows each.

        The rows of a source are folded into its queries, so that no memory is copied per row.
        """
        states, mask = memory
        k, v = states if isinstance(states, KeysValues) else self.read(states)
        q = self.q(x).view(k.shape[0], -1, self.n_heads, self.d_head)  # (B, kT, H, K)
        q = q.transpose(1, 2)  # (B, H, kT, K)
        return self.o(self.attend(q, k, v, mask)).view(x.shape)
