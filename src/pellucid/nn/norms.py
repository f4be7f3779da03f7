"""Normalisation of a vector's elements."""

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axis.

    Source: Ba et al. 2016, eq. 4; variance is the biased one.
    """

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c.d_model))
        self.bias = nn.Parameter(torch.empty(c.d_model))
        self.eps = c.norm_eps
        self.shape = (c.d_model,)

    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, self.shape, self.weight, self.bias, self.eps)
