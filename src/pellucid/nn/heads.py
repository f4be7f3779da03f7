"""Heads: the layers that map hidden states to predictions."""

from typing import TypeGuard

import torch
from torch import Tensor, nn

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.nn import losses
from pellucid.nn.crf import CRF
from pellucid.nn.dropout import dropout
from pellucid.nn.feed_forward import ACTIVATIONS
from pellucid.nn.linear import Linear
from pellucid.nn.norms import build_norm
from pellucid.taps import Tap

LARGE_LOGITS = 100_000_000
"""Bytes of logits that are held at once: a tiny model then trains 8 % faster in bf16."""


class Head(nn.Module):
    """output(norm(activation(transform(state)))). Each part is optional.

    The transform of a language model maps states to the width of the embedding, because its output
    is usually tied to the embedding.
    """

    def __init__(self, c: ModelConfig, h: HeadConfig) -> None:
        super().__init__()
        self.config = h
        is_lm, width = h.kind == "lm", c.d_model
        if is_lm and c.d_embedding and not h.activation:
            raise ConfigError(
                f"d_embedding={c.d_embedding}, but a head of kind lm without activation has no"
                " transform that maps its states to that width. Set the head's activation."
            )
        outputs = (c.target_vocab_size or c.vocab_size) if is_lm else h.outputs
        if h.activation:
            width = c.embedding_width if is_lm else c.d_model
            self.transform = Linear(c.d_model, width)
            self.activation = ACTIVATIONS[h.activation]
        else:
            self.transform = None
        self.norm = build_norm(c, width) if h.norm else None
        self.output = Linear(width, outputs, h.bias) if outputs else None
        self.crf = CRF(h.outputs) if h.crf else None
        self.scale, self.input_dropout, self.dropout = h.scale, h.input_dropout, h.dropout
        self.logits = Tap()

    def forward(self, state: Tensor) -> Tensor:
        """(..., D) -> (..., outputs); for kind score, (...). With a CRF: its emissions."""
        x = self.transform_state(state)
        if self.output is not None:
            x = self.output(x)
        if self.config.kind == "score":
            x = x[..., 0]
        return self.logits(x)

    def transform_state(self, state: Tensor) -> Tensor:
        """Return what the output layer reads."""
        x = dropout(state, self.input_dropout, self.training)
        if self.transform is not None:
            x = self.activation(self.transform(x))
        if self.norm is not None:
            x = self.norm(x)
        if self.scale != 1.0:
            x = x * self.scale
        return x if self.output is None else dropout(x, self.dropout, self.training)


def sum_cross_entropy(
    head: nn.Module, state: Tensor, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Return `losses.cross_entropy` of a head's logits for states (N, D), and targets (N,).

    In training on a CPU, more than `LARGE_LOGITS` are never held at once. Then no tap sees them.
    """
    if not _fuses(head, state):
        return losses.cross_entropy(head(state), targets, smoothing)
    x, output = head.transform_state(state), head.output
    assert output is not None
    return losses.linear_cross_entropy(x, output.weight, output.bias, targets, smoothing)


def _fuses(head: nn.Module, state: Tensor) -> TypeGuard[Head]:
    """Return whether the loss of states (N, D) is computed without holding all logits."""
    return (
        torch.is_grad_enabled()
        and isinstance(head, Head)
        and head.output is not None
        and head.output.weight.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and head.logits.listener is None
        and len(state) * len(head.output.weight) * losses.product_dtype(state).itemsize
        > LARGE_LOGITS
    )


def pool_states(state: Tensor, keep: Tensor | None, is_end: Tensor | None, pool: str) -> Tensor:
    """Reduce the states of each text to one: (B, T, D) -> (B, D).

    pool: "first"; "last", the last token where keep (B, T) is True; "end", the last end token,
    where is_end (B, T) is True; "mean" or "max" of the states where keep is True.
    Raises: UsageError if a text has no such token.
    """
    if pool == "first":
        return state[:, 0]
    if pool == "mean":
        if keep is None:
            return state.mean(1)
        return (state * keep[..., None]).sum(1) / keep.sum(1, keepdim=True).clamp(min=1)
    if pool == "max":
        masked = state if keep is None else state.masked_fill(~keep[..., None], float("-inf"))
        return masked.amax(1)
    if pool == "end":
        if is_end is None:
            raise UsageError("this head reads the end token's state: pass is_end.")
        candidates = is_end if keep is None else is_end & keep
    else:
        candidates = state.new_ones(state.shape[:2], dtype=torch.bool) if keep is None else keep
    # A traced graph takes the first token instead.
    if not torch.compiler.is_exporting() and not bool(candidates.any(1).all()):
        raise UsageError(
            f"a text without {'an end' if pool == 'end' else 'a real'} token has no state to"
            " classify. End each text with the end token."
        )
    positions = torch.arange(candidates.shape[1], device=state.device)
    last = (candidates * positions).argmax(1)  # (B,)
    return state[torch.arange(state.shape[0], device=state.device), last]


def shift_right(ids: Tensor, keep: Tensor | None, first: int | None) -> Tensor:
    """Return what a decoder reads that reads the same text as its encoder: ids moved right by one.

    ids, keep: (B, T). first: the first token; None means the last real token of each row.
    """
    if first is None:
        start = pool_states(ids[..., None], keep, None, "last")  # (B, 1)
    else:
        start = torch.full_like(ids[:, :1], first)
    return torch.cat([start, ids[:, :-1]], 1)
