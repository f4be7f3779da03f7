"""Linear layers, computed by the kernels chosen for this machine."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pellucid.nn import kernels


class Linear(nn.Linear):
    """y = x W^T + b."""

    def forward(self, input: Tensor) -> Tensor:
        return kernels.linear(input, self.weight, self.bias)

    def matrix(self) -> Tensor:
        """Return W (out, in)."""
        return self.weight

    def reset_parameters(self) -> None:
        """Do nothing: `nn/init.py` initialises the whole model."""


class BlockDiagonalLinear(Linear):
    """A projection to H heads of which head h reads only slice h of its input.

    W (D, D) is block-diagonal; `weight` (D, K) holds its H blocks (K, K), one below the other.
    """

    def __init__(self, d_model: int, n_heads: int, bias: bool = True) -> None:
        super().__init__(d_model // n_heads, d_model, bias)
        self.n_heads = n_heads

    def forward(self, input: Tensor) -> Tensor:
        return kernels.linear(input, self.matrix(), self.bias)

    def matrix(self) -> Tensor:
        return torch.block_diag(*self.weight.chunk(self.n_heads))  # (D, D)


def project(x: Tensor, linears: Sequence[Linear]) -> Tensor:
    """Apply several layers to one input: (B, T, D) -> (B, T, sum of widths).

    One product is faster, but it copies the weights. For a short text without gradients that takes
    longer than to copy the outputs of one product each.
    """
    if not torch.is_grad_enabled() and x.shape[0] * x.shape[1] < x.shape[2]:
        return torch.cat([linear(x) for linear in linears], -1)
    return kernels.linear(x, *concatenate(linears))


def concatenate(linears: Sequence[Linear]) -> tuple[Tensor, Tensor | None]:
    """Return the concatenated weights (sum of widths, D) and biases of layers with one input."""
    weight = torch.cat([linear.matrix() for linear in linears])
    biases: list[Tensor] = [linear.bias for linear in linears if linear.bias is not None]
    return weight, torch.cat(biases) if biases else None
