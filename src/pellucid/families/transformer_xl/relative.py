"""Attention that knows distances, over a memory of what was read before."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError
from pellucid.nn.attention import Attention, KeysValues
from pellucid.nn.linear import Linear
from pellucid.nn.masks import MaskTensors
from pellucid.taps import Tap


class Remembered:
    """One layer's keys and values of the last M tokens of each text, (R, H, M, K)."""

    def __init__(self, k: Tensor, v: Tensor) -> None:
        self.k, self.v = k, v

    def append(self, k: Tensor, v: Tensor) -> KeysValues:
        """All that is seen, (R, H, M + T, K), of which the last M stay remembered."""
        seen = KeysValues(torch.cat((self.k, k), 2), torch.cat((self.v, v), 2))
        self.k, self.v = (x[:, :, k.shape[2] :] for x in seen)
        return seen

    def take(self, rows: Tensor) -> None:
        """Let row r go on from what row `rows[r]` held."""
        self.k, self.v = self.k[rows], self.v[rows]


class SegmentMemory:
    """What the layers remember of texts that are being written; a `Cache`."""

    def __init__(self, pasts: Sequence[Remembered], r: Sequence[Tensor], rows: int) -> None:
        self.pasts, self.r, self.rows = pasts, r, rows
        self.length = 0

    def expand(self, k: int) -> None:
        self.reorder(torch.arange(self.rows, device=self.r[0].device).repeat_interleave(k))
        self.rows *= k

    def reorder(self, parents: Tensor) -> None:
        for past in self.pasts:
            past.take(parents)

    def keep_rows(self, rows: Tensor) -> None:
        self.reorder(rows)
        self.rows = len(rows)

    def truncate(self, n: int) -> None:
        raise UsageError(
            "a memory of segments cannot go back: for each token that it took in, it let the oldest"
            " go."
        )


class RelativeAttention(Attention):
    """Attention that scores a key by what it is and by how far back it stands.

    Scores are ((q + u) k^T + (q + v) r^T) / sqrt(K), where r is the key of a distance, and u and v,
    `content_bias` and `distance_bias`, are what all queries ask of content and of distance.
    Source: Dai et al. 2019, section 3.3 and appendix B.
    """

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c)
        self.r = Linear(c.d_model, self.n_heads * self.d_head, bias=False)
        self.content_bias = nn.Parameter(torch.empty(self.n_heads, self.d_head))
        self.distance_bias = nn.Parameter(torch.empty(self.n_heads, self.d_head))
        self.distances = Tap()

    def forward(
        self, x: Tensor, mask: MaskTensors, past: Remembered, r: Tensor, distance: Tensor
    ) -> Tensor:
        """x (B, T, D), which comes after the past -> (B, T, D)

        r: (H, N, K), keys of distances 0 .. N-1. distance: (T, S), from a query back to a key.
        """
        q = self._heads(self.q(x))  # (B, H, T, K)
        k, v = past.append(*self.read(x))  # (B, H, S, K)
        by_distance = (q + self.distance_bias[:, None]) @ r.mT  # (B, H, T, N)
        by_key = by_distance.gather(-1, distance.expand(*q.shape[:2], -1, -1))  # (B, H, T, S)
        bias = self.distances(by_key * self.scale)
        return self.o(self.attend(q + self.content_bias[:, None], k, v, mask, bias))

    def read(self, states: Tensor) -> KeysValues:
        """Keys and values of states (B, S, D)."""
        return KeysValues(self._heads(self.k(states)), self._heads(self.v(states)))

    def keys_of(self, distances: Tensor) -> Tensor:
        """Keys (H, N, K) of distances as sinusoids (N, D)."""
        return self._heads(self.r(distances))

    def initialize(self, rng: torch.Generator) -> None:
        """At first a query asks for nothing but what its own state does."""
        nn.init.zeros_(self.content_bias)
        nn.init.zeros_(self.distance_bias)

    def _heads(self, x: Tensor) -> Tensor:
        """(..., S, H K) -> (..., H, S, K)"""
        return x.unflatten(-1, (self.n_heads, self.d_head)).transpose(-3, -2)
