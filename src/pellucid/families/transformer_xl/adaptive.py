"""Adaptive input and softmax: frequent words have wide vectors, rare ones narrow vectors.

Words are numbered by frequency and cut into clusters. Source: Baevski and Auli 2019, section 3;
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
    """A word's vector from its cluster's table, projected to d_model, times sqrt(d_model)."""

    def __init__(self, clusters: Clusters) -> None:
        super().__init__()
        self.words = clusters.tables
        self.tables = _tables(clusters)
        widths = clusters.widths if clusters.projected else []
        self.projections = _parameters((clusters.d_model, width) for width in widths)
        self.d_model = clusters.d_model
        self.output = Tap()

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, D). Raises: IndexError at an id outside the vocabulary."""
        n_known = 0
        x = self.tables[0].new_zeros(*ids.shape, self.d_model)  # (B, T, D)
        for i, (words, table) in enumerate(zip(self.words, self.tables, strict=True)):
            here = (ids >= words.start) & (ids < words.stop)  # (B, T)
            vectors = F.embedding(ids[here] - words.start, table)  # (N, E)
            n_known += len(vectors)
            if self.projections:
                vectors = F.linear(vectors, self.projections[i])  # (N, D)
            x[here] = vectors.to(x.dtype)  # automatic mixed precision projects in fewer bits
        if n_known != ids.numel():  # no table would leave zeros for it
            raise IndexError(
                f"ids must be from 0 to {self.words[-1].stop - 1}. Check their source."
            )
        return self.output(x * math.sqrt(self.d_model))

    def initialize(self, rng: torch.Generator) -> None:
        """Outputs have standard deviation 1, like those of a plain scaled embedding."""
        _fill(self.tables, 1, rng)
        _fill(self.projections, 0, rng)


class AdaptiveSoftmax(nn.Module):
    """Log-probabilities of all words: of a cluster, plus of a word within its cluster.

    The head scores the words of the first cluster, and each other cluster as one more word.
    """

    def __init__(self, clusters: Clusters) -> None:
        super().__init__()
        self.clusters = clusters
        width, rest = clusters.d_embedding, len(clusters.cutoffs)
        self.tables = _tables(clusters)
        self.biases = _parameters((len(table),) for table in clusters.tables)
        in_use = range(len(clusters.words) if clusters.projected else 0)
        widths = [clusters.widths[clusters.table_of(i)] for i in in_use]
        self.projections = _parameters((clusters.d_model, width) for width in widths)
        self.cluster_weight = nn.Parameter(torch.empty(rest, width)) if rest else None
        self.cluster_bias = nn.Parameter(torch.empty(rest)) if rest else None
        self.head, self.logits = Tap(), Tap()

    def forward(self, state: Tensor) -> Tensor:
        """States (..., D) -> log-probabilities (..., V), in float32 at least."""
        first = len(self.clusters.words[0])
        head = self.head(self._within(0, state))  # (..., first + rest)
        parts = [head[..., :first]]
        for i in range(1, len(self.clusters.words)):
            cluster = head[..., first + i - 1, None]  # (..., 1)
            parts.append(cluster + self._within(i, state))  # (..., words of the cluster)
        return self.logits(torch.cat(parts, -1))

    def _within(self, i: int, state: Tensor) -> Tensor:
        """Log-probabilities (..., N) among the words of cluster i; in the head, of clusters too."""
        words, table = self.clusters.words[i], self.clusters.table_of(i)
        start = self.clusters.tables[table].start
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
        """Scores of states of standard deviation 1 have standard deviation 1, at any width."""
        clusters = () if self.cluster_weight is None else (self.cluster_weight,)
        _fill((*self.tables, *clusters), 1, rng)
        _fill(self.projections, 0, rng)
        for bias in (*self.biases, *(() if self.cluster_bias is None else (self.cluster_bias,))):
            nn.init.zeros_(bias)


def _tables(clusters: Clusters) -> nn.ParameterList:
    """Each (rows, width), without values."""
    shapes = zip(clusters.tables, clusters.widths, strict=True)
    return _parameters((len(table), width) for table, width in shapes)


def _parameters(shapes: Iterable[tuple[int, ...]]) -> nn.ParameterList:
    return nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in shapes)


def _fill(matrices: Iterable[Tensor], axis: int, rng: torch.Generator) -> None:
    """Normal with standard deviation n^-0.5, where n is the length of that axis."""
    for matrix in matrices:
        nn.init.normal_(matrix, std=matrix.shape[axis] ** -0.5, generator=rng)
