"""Position encodings."""

import math

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError
from pellucid.taps import Tap

NEIGHBORS, STEP, FLOOR = 4, 2.0, -6.0
"""Of `DistanceBias.start_at_neighbors`: the farthest neighbor, and biases of scores."""


def sinusoids(n_positions: int, d_model: int, halves: bool = False) -> Tensor:
    """Return sines and cosines of geometrically growing wavelengths, (n_positions, d_model).

    Interleaved as in the paper: PE[p, 2i] = sin(p / 10000^(2i/D)), PE[p, 2i+1] = cos of the same.
    `halves` puts all sines before all cosines. Computed in float64, returned in float32.
    Source: Vaswani et al. 2017, section 3.5; halves: tensor2tensor.
    """
    position = torch.arange(n_positions, dtype=torch.float64)[:, None]  # (n, 1)
    pair = torch.arange(0, d_model, 2, dtype=torch.float64)  # (D/2,), this is 2i
    angle = position * torch.exp(pair * (-math.log(10_000.0) / d_model))  # (n, D/2)
    if halves:
        return torch.cat((angle.sin(), angle.cos()), dim=1).float()
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1).float()


def inclusive_sinusoids(n_positions: int, d_model: int) -> Tensor:
    """Return sines, then cosines, of wavelengths from 2 pi to exactly 10000 times that, (n, D).

    Computed in float32, as for the models that were trained with them.
    Source: Ott et al. 2019 (fairseq), which has it from tensor2tensor.
    """
    n_waves = d_model // 2
    rate = torch.exp(torch.arange(n_waves).float() * -(math.log(10_000) / (n_waves - 1)))  # (D/2,)
    angle = torch.arange(n_positions).float()[:, None] * rate  # (n, D/2)
    return torch.cat((angle.sin(), angle.cos()), dim=1)


class SinusoidalPositions(nn.Module):
    """Sinusoids for any number of positions: the table grows with the longest text."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.width = c.embedding_width
        self.halves = c.positions == "sinusoid-halves"
        self.is_inclusive = c.positions == "sinusoid-real"
        self.first = c.first_position
        self.table: Tensor | None = None  # computed, so never saved

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        """Return the vectors (..., D) of positions `index`, on `like`'s device in its dtype."""
        end = index.stop if isinstance(index, slice) else int(index.max()) + 1
        table = self.table
        if (
            table is None
            or len(table) < end
            or table.device != like.device
            or table.dtype != like.dtype
        ):
            n = max(256, 1 << (end - 1).bit_length())
            self.table = table = self.compute(n).to(like)
        return table[index]

    def compute(self, n_positions: int) -> Tensor:
        """Return the vectors of the first `n_positions` positions, (n_positions, D)."""
        if self.is_inclusive:
            return inclusive_sinusoids(self.first + n_positions, self.width)[self.first :]
        return sinusoids(self.first + n_positions, self.width, self.halves)[self.first :]


class LearnedPositions(nn.Module):
    """A trained vector for each of `max_length` positions, the first in row `first_position`."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.first = c.first_position
        rows = c.first_position + c.max_length
        self.weight = nn.Parameter(torch.empty(rows, c.embedding_width))

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        """Return the vectors (..., D) of positions `index`. Raises: UsageError past the last."""
        end = index.stop if isinstance(index, slice) else int(index.max()) + 1
        n_positions = len(self.weight) - self.first
        if end > n_positions:
            raise UsageError(
                f"a text of {end} tokens is longer than the {n_positions} positions that this model"
                " has learned (max_length). Split the text, or train with a larger table."
            )
        if isinstance(index, slice):
            return self.weight[index.start + self.first : index.stop + self.first]
        return self.weight[index + self.first]


class NoPositions(nn.Module):
    """No position vectors."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()

    def forward(self, index: Tensor | slice, like: Tensor) -> Tensor:
        return like.new_zeros(())


POSITIONS = {
    "sinusoid": SinusoidalPositions,
    "sinusoid-halves": SinusoidalPositions,
    "sinusoid-real": SinusoidalPositions,
    "learned": LearnedPositions,
    "learned-real": LearnedPositions,
    "buckets": NoPositions,  # `DistanceBias` on the scores instead
    "none": NoPositions,
}


def positions_of(keep: Tensor) -> Tensor:
    """Return each token's position (B, T) among the real ones, for which keep (B, T) is True.

    Padding gets an existing position: 0, or that of the last real token before it.
    """
    return (keep.cumsum(1) - 1).clamp(min=0)


class DistanceBias(nn.Module):
    """A trained scalar per head and bucket of distances, added to attention scores.

    Half of the buckets hold one distance each, the others grow geometrically up to
    `max_distance`. An encoder has one half for keys before the query and one for keys after it.
    Source: Raffel et al. 2020, section 2.1; the released code for the formula.
    """

    def __init__(self, c: ModelConfig, is_bidirectional: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c.n_buckets, c.n_heads))
        self.max_distance, self.is_bidirectional = c.max_distance, is_bidirectional
        self.has_neighbor_heads = c.neighbor_heads
        self.bias = Tap()

    def forward(self, n_queries: int, offset: int) -> Tensor:
        """Return (1, H, T, S) for T queries from position `offset`, over the S keys up to the last.

        In an encoder offset is 0, and keys after a query count too.
        """
        positions = torch.arange(offset + n_queries, device=self.weight.device)
        distance = positions - positions[offset:, None]  # (T, S), negative: key before the query
        bias = self.weight[self.bucket(distance)]  # (T, S, H)
        return self.bias(bias.permute(2, 0, 1)[None])

    def bucket(self, distance: Tensor) -> Tensor:
        """Return the buckets of distances (key position minus query position), of any shape."""
        n = len(self.weight)
        first = torch.zeros_like(distance)
        if self.is_bidirectional:
            n //= 2
            first = (distance > 0) * n
            distance = distance.abs()
        else:
            distance = -distance.clamp(max=0)
        exact = n // 2
        growth = torch.log(distance.float() / exact) / math.log(self.max_distance / exact)
        far = (exact + (growth * (n - exact)).long()).clamp(max=n - 1)
        return first + torch.where(distance < exact, distance, far)

    @torch.no_grad()
    def start_at_neighbors(self) -> None:
        """Set the bias of each head to a peak at one neighbor of the query.

        Heads take the previous key, the next one, the second before, and so on to `NEIGHBORS`, then
        again; a decoder's only those before. The bias at the neighbor is 0, and lower by `STEP` per
        token from it, to `FLOOR` for all others. Fixed heads of this kind are as good as learned
        ones in translation (Raganato et al. 2020).
        """
        n_heads = self.weight.shape[1]
        after = self.max_distance if self.is_bidirectional else 0
        distance = torch.arange(-self.max_distance, after + 1)[:, None]
        sides = (-1, 1) if self.is_bidirectional else (-1,)
        neighbors = [side * n for n in range(1, NEIGHBORS + 1) for side in sides]
        neighbor = torch.tensor([neighbors[h % len(neighbors)] for h in range(n_heads)])  # (H,)
        bias = -STEP * (distance - neighbor).abs()  # (distances, H)
        bucket = self.bucket(distance).expand_as(bias)
        self.weight.fill_(FLOOR).scatter_reduce_(0, bucket, bias, "amax")
