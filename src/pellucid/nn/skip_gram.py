"""The skip-gram model with negative sampling."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.head import HeadConfig
from pellucid.config.skip_gram import SkipGramConfig
from pellucid.nn.base import Model


class SkipGramScores(NamedTuple):
    """Products of word and context vectors: the logits of "this context is real"."""

    real: Tensor  # (N,), of observed pairs
    noise: Tensor  # (N, K), of the word with sampled contexts


class SkipGram(Model):
    """A vector for each word as a center, and one as a context (Mikolov et al. 2013b, section 2.2).

    It has neither stacks nor heads.
    """

    def __init__(self, c: SkipGramConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        super().__init__()
        self.config, self.encoder, self.decoder = c, None, None
        self.heads, self.head_configs = nn.ModuleDict(), {}
        self.words = nn.Parameter(torch.zeros(c.vocab_size, c.d_model))
        self.contexts = nn.Parameter(torch.zeros(c.vocab_size, c.d_model))

    @torch.no_grad()
    def initialize(self, seed: int) -> None:
        """Draw word vectors, uniform in +-1/2 divided by their width; context vectors are zeros.

        Source: the released code of word2vec.
        """
        draws = torch.rand(self.words.shape, generator=torch.Generator().manual_seed(seed))
        self.words.copy_((draws - 0.5) / self.words.shape[1])
        self.contexts.zero_()

    def forward(self, words: Tensor, contexts: Tensor, noise: Tensor) -> SkipGramScores:
        """Return the scores of pairs: words (N,), contexts (N,), noise (N, K)."""
        centers = F.embedding(words, self.words)  # (N, E)
        real = (centers * F.embedding(contexts, self.contexts)).sum(-1)
        return SkipGramScores(
            real, (F.embedding(noise, self.contexts) @ centers[..., None])[..., 0]
        )


def skip_gram_loss(scores: SkipGramScores, is_noise: Tensor) -> Tensor:
    """Return the negative sampling loss, summed over pairs: a scalar in float32.

    is_noise: (N, K), False for samples that are the real context; they do not count.
    -log s(real) - sum log s(-noise), with the logistic function s.
    Source: Mikolov et al. 2013b, equation 4, and the released code.
    """
    noise = F.softplus(scores.noise.float()) * is_noise
    return F.softplus(-scores.real.float()).sum() + noise.sum()
