"""How a model knows the order of its tokens."""

import math

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError


def sinusoids(n_positions: int, d_model: int, halves: bool = False) -> Tensor:
    """Sines and cosines of geometrically growing wavelengths, (n_positions, d_model).

    Interleaved as in the paper: PE[p, 2i] = sin(p / 10000^(2i/D)), PE[p, 2i+1] = cos of the same.
    `halves` puts all sines before all cosines. Computed in float64, given in float32.
    Source: Vaswani et al. 2017, section 3.5; halves: tensor2tensor.
    """
    position = torch.arange(n_positions, dtype=torch.float64)[:, None]  # (n, 1)
    pair = torch.arange(0, d_model, 2, dtype=torch.float64)  # (D/2,), this is 2i
    angle = position * torch.exp(pair * (-math.log(10_000.0) / d_model))  # (n, D/2)
    if halves:
        return torch.cat((angle.sin(), angle.cos()), dim=1).float()
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1).float()


class SinusoidalPositions(nn.Module):
    """Fixed positions without an end: the table grows when a longer text comes."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.d_model = c.d_model
        self.halves = c.positions == "sinusoid-halves"
        self.table: Tensor | None = None  # a fact, not a weight: never saved

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        """Rows for positions `index`, on the device and in the dtype of `like`: (..., D)."""
        end = index.stop if isinstance(index, slice) else int(index.max()) + 1
        table = self.table
        if (
            table is None
            or len(table) < end
            or table.device != like.device
            or table.dtype != like.dtype
        ):
            n = max(256, 1 << (end - 1).bit_length())
            self.table = table = sinusoids(n, self.d_model, self.halves).to(like)
        return table[index]


class LearnedPositions(nn.Module):
    """A trained vector for each of `max_length` positions."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c.max_length, c.d_model))

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        """Rows for positions `index`: (..., D). Raises: UsageError past the table's end."""
        end = index.stop if isinstance(index, slice) else int(index.max()) + 1
        if end > len(self.weight):
            raise UsageError(
                f"a text of {end} tokens is longer than the {len(self.weight)} positions that this"
                " model has learned (max_length). Split the text, or train with a larger table."
            )
        return self.weight[index]


class NoPositions(nn.Module):
    """No positions: attention then sees a set, not a sequence."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        return like.new_zeros(())


POSITIONS = {
    "sinusoid": SinusoidalPositions,
    "sinusoid-halves": SinusoidalPositions,
    "learned": LearnedPositions,
    "none": NoPositions,
}
