"""A hidden Markov model that tags words: p(tags, words) as a product of table entries.

Source: Rabiner 1989, section II; tagging by it: Church 1988.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.baselines import HMMConfig
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError
from pellucid.nn.base import Model
from pellucid.nn.linear_chain import ChainScores, LinearChain, in_full_precision
from pellucid.nn.masks import Mask


class HiddenMarkovModel(Model):
    """Tables of p(word | tag) in the encoder, and of p(tag | previous tag) in the head."""

    def __init__(self, c: HMMConfig, heads: Mapping[str, HeadConfig] | None = None) -> None:
        """heads: one, of kind token with crf, whose outputs are the tags."""
        super().__init__()
        (name, head), *others = (heads or {}).items() or [("", HeadConfig(kind="lm"))]
        if others or head.kind != "token" or not head.crf:
            raise ConfigError(
                "a hidden Markov model tags words and needs one head, of kind token with crf=true."
            )
        self.config = c
        self.encoder = Emissions(c.vocab_size, head.outputs)
        self.decoder: None = None
        self.head_configs = {name: head}
        self.heads = nn.ModuleDict({name: TagTables(head)})

    def forward(
        self,
        ids: Tensor,
        keep: Tensor | None = None,
        target_ids: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return log p(word | tag) for each word of ids (B, T) and each tag: (B, T, C)."""
        return self.encoder(ids, Mask(keep=keep))


class Emissions(nn.Module):
    """The table of p(word | tag), as logits that a softmax over the words makes probabilities."""

    def __init__(self, vocab_size: int, n_tags: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.empty(vocab_size, n_tags))

    def initialize(self, rng: torch.Generator) -> None:
        """Set all words to the same probability."""
        nn.init.zeros_(self.logits)

    def forward(self, ids: Tensor, mask: Mask) -> Tensor:
        """ids (B, T) -> log p(word | tag), (B, T, C)"""
        return F.embedding(ids, self.logits.float().log_softmax(0))


class TagTables(nn.Module):
    """The head: passes log p(word | tag) on, and has the tables of tags as its `crf`."""

    def __init__(self, h: HeadConfig) -> None:
        super().__init__()
        self.config = h
        self.crf = MarkovChain(h.outputs)

    def forward(self, emissions: Tensor) -> Tensor:
        """(B, W, C) -> (B, W, C)"""
        return emissions


class MarkovChain(LinearChain):
    """p(tag | previous tag), with the probability that a sentence ends after a tag."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.start_logits = nn.Parameter(torch.empty(n_classes))
        self.logits = nn.Parameter(torch.empty(n_classes, n_classes + 1))  # from, to; the end last

    def initialize(self, rng: torch.Generator) -> None:
        """Set all tags to the same probability."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def scores(self) -> ChainScores:
        following = self.logits.float().log_softmax(1)
        return ChainScores(
            self.start_logits.float().log_softmax(0), following[:, :-1], following[:, -1]
        )

    def forward(self, emissions: Tensor, labels: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the negative log-probability of labels (B, W) and words, summed over the batch.

        emissions: (B, W, C), log p(word | tag). Labels of padding are not used.
        """
        emissions, keep = in_full_precision(emissions, keep)
        return -self.score(emissions, labels, keep).sum()
