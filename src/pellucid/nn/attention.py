"""Scaled dot-product and multi-head attention (Vaswani et al. 2017, section 3.2)."""

from typing import NamedTuple, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn import kernels
from pellucid.nn.dropout import dropout
from pellucid.nn.linear import Linear, SlicedLinear, project
from pellucid.nn.masks import Mask
from pellucid.taps import Tap


class KeysValues(NamedTuple):
    """What attention looks things up in."""

    k: Tensor  # (B, H, S, K)
    v: Tensor  # (B, H, S, K)


class Slots(Protocol):
    """One layer's part of a key/value cache."""

    def append(self, kv: Tensor) -> KeysValues:
        """Add kv (R, T, 2, H, K) and give all that is remembered, each (R, H, length, K)."""
        ...


class Attention(nn.Module):
    """H heads of softmax(q k^T / sqrt(K)) v over projections of width K = D / H, joined by o.

    Two paths give the same numbers: the explicit one, in which every intermediate passes a tap,
    and torch's fused kernel. A listener on a tap forces the explicit one.
    """

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.n_heads = c.n_heads
        self.d_head = c.d_model // c.n_heads
        self.scale = self.d_head**-0.5
        self.p = c.attention_dropout
        if c.head_split == "slice":
            self.q, self.k, self.v = (SlicedLinear(c.d_model, c.n_heads) for _ in range(3))
        else:
            self.q, self.k, self.v = (Linear(c.d_model, c.d_model) for _ in range(3))
        self.o = Linear(c.d_model, c.d_model)
        self.queries, self.keys, self.values = Tap(), Tap(), Tap()
        self.scores, self.weights, self.context = Tap(), Tap(), Tap()

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        """q (B, H, T, K) over k, v (B, H, S, K) -> joined heads (B, T, D), before o."""
        if self._listening() or kernels.prefers_matmul(q, k):
            context = self._explicit(q, k, v, mask)
        else:
            context = self._fused(q, k, v, mask)
        return context.transpose(1, 2).flatten(2)  # (B, T, D)

    def _explicit(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        q, k, v = self.queries(q), self.keys(k), self.values(v)
        size = q.shape[2], k.shape[2]
        scores = (q * self.scale) @ k.mT  # (B, H, T, S)
        bias = mask.bias(scores, *size)
        if bias is not None:
            scores = scores + bias
        scores = self.scores(scores)
        empty = mask.empty(*size, q.device)
        if empty is None:
            weights = scores.softmax(-1)
        else:  # the softmax of nothing is nothing; of -inf alone it is NaN, and so is its gradient
            weights = scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)
        weights = self.weights(weights).to(v.dtype)
        return self.context(dropout(weights, self.p, self.training) @ v)  # (B, H, T, K)

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        size = q.shape[2], k.shape[2]
        causal = mask.plainly_causal(*size)
        bias = None if causal else mask.bias(q, *size)
        p = self.p if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, bias, p, causal)

    def _listening(self) -> bool:
        return (
            self.weights.listener is not None
            or self.scores.listener is not None
            or self.context.listener is not None
            or self.queries.listener is not None
            or self.keys.listener is not None
            or self.values.listener is not None
        )


class SelfAttention(Attention):
    """Attention of a text to itself."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c)
        self.qkv: nn.Module | None = None  # a prepared copy's q, k and v in one

    def forward(self, x: Tensor, mask: Mask, slots: Slots | None = None) -> Tensor:
        """x (B, T, D) -> (B, T, D); with `slots`, x comes after the tokens they remember."""
        qkv = project(x, (self.q, self.k, self.v)) if self.qkv is None else self.qkv(x)
        qkv = qkv.view(*x.shape[:2], 3, self.n_heads, self.d_head)
        if slots is None:
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()  # (B, H, T, K) each
        else:
            q = qkv.select(2, 0).transpose(1, 2)  # (B, H, T, K)
            k, v = slots.append(qkv.narrow(2, 1, 2))
        return self.o(self.attend(q, k, v, mask))


class CrossAttention(Attention):
    """Attention of the decoder to the encoder's output."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c)
        self.kv: nn.Module | None = None  # a prepared copy's k and v in one

    def read(self, memory: Tensor) -> KeysValues:
        """Keys and values of memory (B, S, D): computed once, however long the target grows."""
        kv = project(memory, (self.k, self.v)) if self.kv is None else self.kv(memory)
        kv = kv.unflatten(-1, (2, self.n_heads, self.d_head))  # (B, S, 2, H, K)
        return KeysValues(*kv.permute(2, 0, 3, 1, 4))

    def forward(self, x: Tensor, mask: Mask, memory: Tensor | KeysValues) -> Tensor:
        """x (R, T, D) -> (R, T, D), where R = B * k rows may share each of B memories.

        Rows of one source are folded into its queries, so that no memory is copied per row.
        """
        k, v = memory if isinstance(memory, KeysValues) else self.read(memory)
        q = self.q(x).view(len(k), -1, self.n_heads, self.d_head).transpose(1, 2)  # (B, H, kT, K)
        return self.o(self.attend(q, k, v, mask).view(x.shape))
