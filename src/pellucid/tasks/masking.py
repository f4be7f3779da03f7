"""Hide tokens of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.config.tasks.masking import MaskingConfig
from pellucid.data.noising import (
    MaskingShares,
    MaskingTokens,
    choose_tokens,
    choose_words,
    replace_chosen,
)
from pellucid.nn.masks import keep_from
from pellucid.tasks.padding import PaddedTexts
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.tokenizer import Tokenizer
from pellucid.text.whole_words import WordBoundaries, find_word_boundaries


class MaskedBatch(NamedTuple):
    """Padded texts with hidden tokens."""

    ids: Tensor  # (B, T), noised
    keep: Tensor | None  # (B, T), True = real; None if no row is padded
    chosen: Tensor  # (N,), where in (B * T) a token is predicted
    labels: Tensor  # (N,), which one it was
    segments: Tensor | None = None  # (B, T), of pairs
    pair_labels: Tensor | None = None  # (B,), of pairs

    def to(self, device: torch.device) -> "MaskedBatch":
        return MaskedBatch(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )

    @property
    def n_tokens(self) -> int:
        """Number of real tokens, special ones included."""
        return self.ids.numel() if self.keep is None else int(self.keep.sum())


@dataclass(frozen=True)
class Masker:
    """Hides tokens of padded texts."""

    config: MaskingConfig
    tokenizer: Tokenizer
    vocab_size: int
    """Of the model. Published models may have more tokens than rows, or more rows than tokens."""

    @classmethod
    def of(cls, inputs: TaskInputs) -> "Masker":
        """The masker of a run."""
        objective = inputs.config.objective
        assert isinstance(objective, MaskingConfig)
        return cls(objective, inputs.tokenizers.source, inputs.model_config.vocab_size)

    def mask(self, texts: PaddedTexts, seed: int, labels: Sequence[int] = ()) -> MaskedBatch:
        """Return a batch; which tokens are hidden, and how, comes from `seed`.

        labels: the label of each pair of texts.
        """
        c, rng = self.config, np.random.default_rng(seed)
        if c.whole_words:
            words = self.boundaries.number_words(texts.ids)
            chosen = choose_words(texts.is_text, words, c.chosen, rng)  # (B, T)
        else:
            chosen = choose_tokens(texts.is_text, c.chosen, rng)
        shares = MaskingShares(c.masked, c.random)
        noised = replace_chosen(texts.ids, chosen, shares, self.tokens, rng)
        return MaskedBatch(
            ids=torch.from_numpy(noised),
            keep=keep_from(torch.from_numpy(texts.lengths), texts.ids.shape[1]),
            chosen=torch.from_numpy(np.flatnonzero(chosen)),
            labels=torch.from_numpy(texts.ids[chosen]),
            segments=None if texts.segments is None else torch.from_numpy(texts.segments),
            pair_labels=torch.tensor(labels) if len(labels) else None,
        )

    @cached_property
    def tokens(self) -> MaskingTokens:
        """What hidden tokens are replaced by."""
        special = set(self.tokenizer.roles.values())
        n_ids = min(self.tokenizer.vocab_size, self.vocab_size)
        regular = [i for i in range(n_ids) if i not in special]
        return MaskingTokens(self.tokenizer.id("mask"), np.array(regular))

    @cached_property
    def boundaries(self) -> WordBoundaries:
        """Which pieces begin and end words."""
        return find_word_boundaries(self.tokenizer)
