"""Normalisation layers."""

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axis.

    Source: Ba et al. 2016, eq. 4; variance is the biased one.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))
        self.eps = eps
        self.shape = (width,)

    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last axis, without mean and bias.

    Source: Zhang and Sennrich 2019, eq. 4.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.eps = eps
        self.shape = (width,)

    def forward(self, x: Tensor) -> Tensor:
        return torch.rms_norm(x, self.shape, self.weight, self.eps)


NORMS = {"layer": LayerNorm, "rms": RMSNorm}


def build_norm(c: ModelConfig, width: int = 0) -> nn.Module:
    """Build the config's norm for vectors of `width` elements; 0 means d_model."""
    return NORMS[c.norm](width or c.d_model, c.norm_eps)
