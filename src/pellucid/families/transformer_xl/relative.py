"""Attention by content and distance, over a memory of earlier tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError
from pellucid.nn.attention import Attention, KeysValues
from pellucid.nn.linear import Linear
from pellucid.nn.masks import MaskTensors
from pellucid.taps import Tap


class LayerMemory:
    """One layer's keys and values of the last M tokens of each text, (R, H, M, K)."""

    def __init__(self, k: Tensor, v: Tensor) -> None:
        self.k, self.v = k, v

    def append(self, k: Tensor, v: Tensor) -> KeysValues:
        """Append tokens and return all keys and values (R, H, M + T, K); the last M are kept."""
        joined = KeysValues(torch.cat((self.k, k), 2), torch.cat((self.v, v), 2))
        self.k, self.v = (x[:, :, k.shape[2] :] for x in joined)
        return joined

    def reorder(self, rows: Tensor) -> None:
        """Replace the memory of row r by that of row `rows[r]`."""
        self.k, self.v = self.k[rows], self.v[rows]


class SegmentMemory:
    """The layers' memories of texts that are being generated; a `Cache`."""

    def __init__(self, layers: Sequence[LayerMemory], r: Sequence[Tensor], rows: int) -> None:
        self.layers, self.r, self.rows = layers, r, rows
        self.length = 0

    def expand(self, k: int) -> None:
        self.reorder(torch.arange(self.rows, device=self.r[0].device).repeat_interleave(k))
        self.rows *= k

    def reorder(self, parents: Tensor) -> None:
        for memory in self.layers:
            memory.reorder(parents)

    def keep_rows(self, rows: Tensor) -> None:
        self.reorder(rows)
        self.rows = len(rows)

    def truncate(self, n: int) -> None:
        raise UsageError(
            "the memory of a Transformer-XL cannot be truncated: each new token has replaced the"
            " oldest one."
        )


class RelativeAttention(Attention):
    """Attention that scores a key by its content and by its distance from the query.

    Scores are ((q + u) k^T + (q + v) r^T) / sqrt(K), where r is the key of a distance, and u and v
    are `content_bias` and `distance_bias`, one vector a head.
    Source: Dai et al. 2019, section 3.3 and appendix B.
    """

    def __init__(self, c: ModelConfig) -> None:
        super().__init__(c)
        self.r = Linear(c.d_model, self.n_heads * self.d_head, bias=False)
        self.content_bias = nn.Parameter(torch.empty(self.n_heads, self.d_head))
        self.distance_bias = nn.Parameter(torch.empty(self.n_heads, self.d_head))
        self.distances = Tap()

    def forward(
        self, x: Tensor, mask: MaskTensors, memory: LayerMemory, r: Tensor, distance: Tensor
    ) -> Tensor:
        """x (B, T, D), which follows the memory -> (B, T, D)

        r: (H, N, K), keys of distances 0 .. N-1. distance: (T, S), from a query back to a key.
        """
        q = self._split_heads(self.q(x))  # (B, H, T, K)
        k, v = memory.append(*self.read(x))  # (B, H, S, K)
        by_distance = (q + self.distance_bias[:, None]) @ r.mT  # (B, H, T, N)
        by_key = by_distance.gather(-1, distance.expand(*q.shape[:2], -1, -1))  # (B, H, T, S)
        bias = self.distances(by_key * self.scale)
        return self.o(self.attend(q + self.content_bias[:, None], k, v, mask, bias))

    def read(self, states: Tensor) -> KeysValues:
        """Return keys and values of states (B, S, D)."""
        return KeysValues(self._split_heads(self.k(states)), self._split_heads(self.v(states)))

    def project_distances(self, distances: Tensor) -> Tensor:
        """Return the keys (H, N, K) of distances, given as sinusoids (N, D)."""
        return self._split_heads(self.r(distances))

    def initialize(self, rng: torch.Generator) -> None:
        """Start both biases at zero."""
        nn.init.zeros_(self.content_bias)
        nn.init.zeros_(self.distance_bias)

    def _split_heads(self, x: Tensor) -> Tensor:
        """(..., S, H K) -> (..., H, S, K)"""
        return x.unflatten(-1, (self.n_heads, self.d_head)).transpose(-3, -2)
