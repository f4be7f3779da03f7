"""The position-wise feed-forward network."""

import torch
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
    "tanh": torch.tanh,
}


class FeedForward(nn.Module):
    """down(activation(up(x))), the same at every position (Vaswani et al. 2017, eq. 2).

    Gated, down(activation(gate(x)) * up(x)) (Shazeer 2020, arXiv:2002.05202, eq. 6).
    """

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        bias = c.bias != "none"
        self.gate = Linear(c.d_model, c.d_ff, bias) if c.gated else None
        self.up = Linear(c.d_model, c.d_ff, bias)
        self.down = Linear(c.d_ff, c.d_model, bias)
        self.activation = ACTIVATIONS[c.activation]
        self.p = c.activation_dropout
        self.expanded, self.hidden = Tap(), Tap()
        if c.gated:
            self.gates = Tap()

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        expanded = self.expanded(self.up(x))  # (B, T, F)
        if self.gate is None:
            hidden = self.activation(expanded)
        else:
            hidden = self.activation(self.gates(self.gate(x))) * expanded
        hidden = self.hidden(hidden)
        return self.down(dropout(hidden, self.p, self.training))  # (B, T, D)
