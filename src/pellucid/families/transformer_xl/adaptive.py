"""Adaptive embedding and softmax: frequent words have wide vectors, rare words narrow ones.

Ids are sorted by frequency and divided into clusters. Source: Baevski and Auli 2019, section 3;
Grave et al. 2017 for the softmax; the released code of Dai et al. 2019 for the arithmetic.
"""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.transformer_xl import Clusters
from pellucid.taps import Tap


class AdaptiveEmbedding(nn.Module):
    """The vector of each id in its cluster's table, projected to d_model, times sqrt(d_model)."""

    def __init__(self, clusters: Clusters) -> None:
        super().__init__()
        self.id_ranges = clusters.table_ranges
        self.tables = _make_tables(clusters)
        widths = clusters.widths if clusters.has_projections else []
        self.projections = _make_parameters((clusters.d_model, width) for width in widths)
        self.d_model = clusters.d_model
        self.output = Tap()

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, D). Raises: IndexError at an id outside the vocabulary."""
        n_known = 0
        x = self.tables[0].new_zeros(*ids.shape, self.d_model)  # (B, T, D)
        for i, (words, table) in enumerate(zip(self.id_ranges, self.tables, strict=True)):
            in_table = (ids >= words.start) & (ids < words.stop)  # (B, T)
            vectors = F.embedding(ids[in_table] - words.start, table)  # (N, E)
            n_known += len(vectors)
            if self.projections:
                vectors = F.linear(vectors, self.projections[i])  # (N, D)
            x[in_table] = vectors.to(x.dtype)  # autocast may project in lower precision
        if n_known != ids.numel():  # an id outside all tables would silently get zeros
            raise IndexError(
                f"ids must be from 0 to {self.id_ranges[-1].stop - 1}. Check their source."
            )
        return self.output(x * math.sqrt(self.d_model))

    def initialize(self, rng: torch.Generator) -> None:
        """Initialize so that outputs have standard deviation 1, as a plain scaled embedding has."""
        _init_normal(self.tables, 1, rng)
        _init_normal(self.projections, 0, rng)


class AdaptiveSoftmax(nn.Module):
    """Log-probabilities of all words: that of the cluster plus that of the word in its cluster.

    The head has the words of the first cluster, and one entry for each other cluster.
    """

    def __init__(self, clusters: Clusters) -> None:
        super().__init__()
        self.clusters = clusters
        width, n_rest = clusters.d_embedding, len(clusters.cutoffs)
        self.tables = _make_tables(clusters)
        self.biases = _make_parameters((len(table),) for table in clusters.table_ranges)
        n_projections = len(clusters.id_ranges) if clusters.has_projections else 0
        widths = [clusters.widths[clusters.table_index(i)] for i in range(n_projections)]
        self.projections = _make_parameters((clusters.d_model, width) for width in widths)
        self.cluster_weight = nn.Parameter(torch.empty(n_rest, width)) if n_rest else None
        self.cluster_bias = nn.Parameter(torch.empty(n_rest)) if n_rest else None
        self.head, self.logits = Tap(), Tap()

    def forward(self, state: Tensor) -> Tensor:
        """state (..., D) -> log-probabilities (..., V), at least in float32."""
        first = len(self.clusters.id_ranges[0])
        head = self.head(self._log_probs_within(0, state))  # (..., first + n_rest)
        parts = [head[..., :first]]
        for i in range(1, len(self.clusters.id_ranges)):
            cluster = head[..., first + i - 1, None]  # (..., 1)
            parts.append(cluster + self._log_probs_within(i, state))  # (..., words of the cluster)
        return self.logits(torch.cat(parts, -1))

    def _log_probs_within(self, i: int, state: Tensor) -> Tensor:
        """Return log-probabilities (..., N) of the words of cluster i; for 0, of the whole head."""
        words, table = self.clusters.id_ranges[i], self.clusters.table_index(i)
        start = self.clusters.table_ranges[table].start
        rows = slice(words.start - start, words.stop - start)
        weight, bias = self.tables[table][rows], self.biases[table][rows]  # (N, E), (N,)
        if i == 0 and self.cluster_weight is not None and self.cluster_bias is not None:
            weight = torch.cat((weight, self.cluster_weight))
            bias = torch.cat((bias, self.cluster_bias))
        if self.projections:
            state = state @ self.projections[i]  # (..., E)
        scores = F.linear(state, weight, bias)  # (..., N)
        return scores.log_softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32))

    def initialize(self, rng: torch.Generator) -> None:
        """Initialize so that scores have standard deviation 1 if states have."""
        clusters = () if self.cluster_weight is None else (self.cluster_weight,)
        _init_normal((*self.tables, *clusters), 1, rng)
        _init_normal(self.projections, 0, rng)
        for bias in (*self.biases, *(() if self.cluster_bias is None else (self.cluster_bias,))):
            nn.init.zeros_(bias)


def _make_tables(clusters: Clusters) -> nn.ParameterList:
    """Return an uninitialized table (N, E) for each range of ids."""
    shapes = zip(clusters.table_ranges, clusters.widths, strict=True)
    return _make_parameters((len(ids), width) for ids, width in shapes)


def _make_parameters(shapes: Iterable[tuple[int, ...]]) -> nn.ParameterList:
    return nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in shapes)


def _init_normal(matrices: Iterable[Tensor], axis: int, rng: torch.Generator) -> None:
    """Sample from a normal distribution of standard deviation n^-0.5, n the size of `axis`."""
    for matrix in matrices:
        nn.init.normal_(matrix, std=matrix.shape[axis] ** -0.5, generator=rng)
