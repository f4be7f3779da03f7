"""Token embeddings with positions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError
from pellucid.nn.character_ngrams import CharacterNgrams
from pellucid.nn.dropout import dropout
from pellucid.nn.linear import Linear
from pellucid.nn.norms import build_norm
from pellucid.nn.positions import POSITIONS
from pellucid.taps import Tap


class Embedding(nn.Module):
    """Token vector, scaled, plus position, with dropout on the sum (Vaswani et al. 2017, 3.4).

    If the config has them: the token vector includes the n-grams of its word; plus segment vector,
    then a norm; after dropout, a wider projection.
    """

    def __init__(self, c: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        width = c.embedding_width
        self.weight = nn.Parameter(torch.empty(vocab_size, width))
        self.positions = POSITIONS[c.positions](c)
        self.segments = nn.Parameter(torch.empty(c.n_segments, width)) if c.n_segments else None
        self.ngrams = CharacterNgrams(c, vocab_size) if c.character_ngrams else None
        self.norm = build_norm(c, width) if c.embedding_norm else None
        self.widen = Linear(width, c.d_model) if c.d_embedding else None
        self.scale = math.sqrt(c.d_model) if c.scale_embeddings else 1.0
        self.p = c.dropout
        self.tokens = Tap()
        self.position_vectors = Tap()
        self.output = Tap()

    def forward(
        self,
        ids: Tensor,
        offset: int = 0,
        positions: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """ids (B, T), at positions from `offset`, or at `positions` (B, T) -> (B, T, D).

        segments: (B, T), the segment of each token; None means all are of the first.
        """
        tokens = F.embedding(ids, self.weight)  # (B, T, E)
        if self.scale != 1.0:
            tokens = tokens * self.scale
        if self.ngrams is not None:
            tokens = tokens + self.ngrams(ids)
        tokens = self.tokens(tokens)
        index = slice(offset, offset + ids.shape[1]) if positions is None else positions
        x = tokens + self.position_vectors(self.positions(index, tokens))  # (B, T, E)
        if self.segments is not None:
            x = x + (self.segments[0] if segments is None else F.embedding(segments, self.segments))
        elif segments is not None:
            raise UsageError("this model has no segment embeddings. Leave segments out.")
        if self.norm is not None:
            x = self.norm(x)
        x = dropout(x, self.p, self.training)
        return self.output(x if self.widen is None else self.widen(x))  # (B, T, D)


@torch.no_grad()
def set_rows(embedding: Embedding, rows: Tensor, vectors: Tensor) -> None:
    """Set the embeddings of the tokens `rows` (N,) to `vectors` (N, E); ties stay ties.

    All vectors are multiplied by one factor, so that their mean square is that of the rows that
    they replace: layers are initialized for embeddings of that size.
    """
    vectors = vectors.to(embedding.weight)
    old, new = (x.square().mean().sqrt() for x in (embedding.weight[rows], vectors))
    if new > 0:
        embedding.weight[rows] = vectors * (old / new)
