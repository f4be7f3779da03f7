"""The position-wise feed-forward network."""

import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.dropout import dropout
from pellucid.nn.linear import Linear
from pellucid.taps import Tap

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "swish": F.silu,
}


class FeedForward(nn.Module):
    """down(activation(up(x))), the same at every position (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.up = Linear(c.d_model, c.d_ff)
        self.down = Linear(c.d_ff, c.d_model)
        self.activation = ACTIVATIONS[c.activation]
        self.p = c.activation_dropout
        self.hidden = Tap()

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        hidden = self.hidden(self.activation(self.up(x)))  # (B, T, F)
        return self.down(dropout(hidden, self.p, self.training))  # (B, T, D)
