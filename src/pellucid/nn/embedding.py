"""From token ids to vectors that know their place."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.dropout import dropout
from pellucid.nn.positions import POSITIONS
from pellucid.taps import Tap


class Embedding(nn.Module):
    """Token vector, scaled, plus position, with dropout on the sum (Vaswani et al. 2017, 3.4)."""

    def __init__(self, c: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, c.d_model))
        self.positions = POSITIONS[c.positions](c)
        self.scale = math.sqrt(c.d_model) if c.scale_embeddings else 1.0
        self.p = c.dropout
        self.tokens = Tap()
        self.places = Tap()

    def forward(self, ids: Tensor, offset: int = 0, places: Tensor | None = None) -> Tensor:
        """ids (B, T), the first at position `offset`, or at `places` (B, T): (B, T, D)."""
        tokens = F.embedding(ids, self.weight)  # (B, T, D)
        if self.scale != 1.0:
            tokens = tokens * self.scale
        tokens = self.tokens(tokens)
        index = slice(offset, offset + ids.shape[1]) if places is None else places
        places = self.places(self.positions(index, tokens))  # (T, D) or (B, T, D)
        return dropout(tokens + places, self.p, self.training)  # (B, T, D)
