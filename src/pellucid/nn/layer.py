"""Layers of a stack: sublayers, each with its residual connection."""

from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.attention import CrossAttention, Memory, SelfAttention, Slots
from pellucid.nn.dropout import dropout
from pellucid.nn.feed_forward import FeedForward
from pellucid.nn.masks import MaskTensors
from pellucid.nn.norms import build_norm
from pellucid.taps import Tap


class PostNorm(nn.Module):
    """norm(x + dropout(inner(x))), as in the paper (section 5.4)."""

    def __init__(self, inner: nn.Module, c: ModelConfig) -> None:
        super().__init__()
        self.inner = inner
        self.norm = build_norm(c)
        self.p = c.dropout
        self.added, self.output = Tap(), Tap()

    def forward(self, x: Tensor, *args: object) -> Tensor:
        """(B, T, D) -> (B, T, D); further arguments are passed to the inner module."""
        added = self.added(self.inner(x, *args))
        return self.output(self.norm(x + dropout(added, self.p, self.training)))


class PreNorm(PostNorm):
    """x + dropout(inner(norm(x))): trains deeper stacks without warm-up (Xiong et al. 2020)."""

    def forward(self, x: Tensor, *args: object) -> Tensor:
        added = self.added(self.inner(self.norm(x), *args))
        return self.output(x + dropout(added, self.p, self.training))


RESIDUALS = {"post": PostNorm, "pre": PreNorm}


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        residual = RESIDUALS[c.norm_place]
        self.attention = residual(SelfAttention(c), c)
        self.feed_forward = residual(FeedForward(c), c)

    def forward(
        self,
        x: Tensor,
        mask: MaskTensors,
        slots: Slots | None = None,
        distances: Tensor | None = None,
    ) -> Tensor:
        """(B, T, D) -> (B, T, D); distances: (1, H, T, S) to add to the scores."""
        return self.feed_forward(self.attention(x, mask, slots, distances))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the encoder's output, then feed-forward."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        residual = RESIDUALS[c.norm_place]
        self.attention = residual(SelfAttention(c), c)
        self.cross = residual(CrossAttention(c), c)
        self.feed_forward = residual(FeedForward(c), c)

    def forward(
        self,
        x: Tensor,
        mask: MaskTensors,
        slots: Slots | None,
        distances: Tensor | None,
        memory: Memory,
    ) -> Tensor:
        """x (R, T, D) -> (R, T, D)"""
        x = self.attention(x, mask, slots, distances)
        x = self.cross(x, memory)
        return self.feed_forward(x)
