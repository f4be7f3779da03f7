"""Attention of a recurrent decoder to its source."""

import torch
from torch import Tensor, nn

from pellucid.nn.attention import KeysValues, Memory, softmax
from pellucid.nn.linear import Linear
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.taps import Tap


class Dot(nn.Module):
    """score = q k.  Source: Luong et al. 2015, eq. 8, dot."""

    def __init__(self, d_model: int) -> None:
        super().__init__()

    def keys(self, memory: Tensor) -> Tensor:
        """memory (B, S, D) -> (B, S, D), computed once per source."""
        return memory

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        """q (B, T, D), k (B, S, D) -> scores (B, T, S)"""
        return q @ k.mT


class General(Dot):
    """score = q W k, also called multiplicative.  Source: Luong et al. 2015, eq. 8, general."""

    def __init__(self, d_model: int) -> None:
        super().__init__(d_model)
        self.k = Linear(d_model, d_model, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        return self.k(memory)


class Additive(nn.Module):
    """score = v tanh(W q + U k).

    Source: Bahdanau et al. 2015, appendix A.1.2. Their q is the state before this token; here it
    is the state after it, as in Luong et al. 2015, eq. 8, concat.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.q = Linear(d_model, d_model, bias=False)
        self.k = Linear(d_model, d_model, bias=False)
        self.v = Linear(d_model, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """memory (B, S, D) -> (B, S, D), computed once per source."""
        return self.k(memory)

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        """q (B, T, D), k (B, S, D) -> scores (B, T, S)"""
        hidden = torch.tanh(self.q(q)[:, :, None] + k[:, None])  # (B, T, S, D)
        return self.v(hidden)[..., 0]


SCORES = {"dot": Dot, "general": General, "additive": Additive}


class Attention(nn.Module):
    """tanh(C [context; state]), where context is the source weighted by softmax(score).

    Source: Luong et al. 2015, eq. 5 and 7.
    """

    def __init__(self, kind: str, d_model: int) -> None:
        super().__init__()
        self.score = SCORES[kind](d_model)
        self.join = Linear(2 * d_model, d_model, bias=False)
        self.scores, self.weights, self.context = Tap(), Tap(), Tap()

    def read(self, memory: Tensor, mask: Mask) -> Memory:
        """Return keys and values of memory (B, S, D) for all steps."""
        return Memory(KeysValues(self.score.keys(memory), memory), MaskTensors(mask))

    def forward(self, state: Tensor, memory: Memory) -> Tensor:
        """state (R, T, D) -> (R, T, D), where R = B * k rows share B memories, k rows each.

        The weights pass their tap as one head, (B, 1, kT, S).
        """
        k, v = memory.states
        q = state.reshape(len(k), -1, state.shape[-1])  # (B, kT, D)
        scores = self.scores(self.score(q, k)[:, None])  # (B, 1, kT, S)
        bias = memory.mask.bias(scores, *scores.shape[2:])
        weights = self.weights(softmax(scores if bias is None else scores + bias, memory.mask))
        context = self.context(weights[:, 0].to(v.dtype) @ v)  # (B, kT, D)
        joined = torch.cat((context.view(state.shape), state), -1)  # (R, T, 2 D)
        return torch.tanh(self.join(joined))
