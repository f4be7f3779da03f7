"""Combine models with equal vocabularies by the mean of their probabilities."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.nn.base import Model
from pellucid.nn.cache import Cache, Step


class Ensemble(nn.Module):
    """A decoder whose logits are the log of the mean probability of its models."""

    def __init__(self, models: Sequence[Model]) -> None:
        """Raises: UsageError if `models` is empty, or vocabularies or shapes differ."""
        super().__init__()
        if not models:
            raise UsageError("an ensemble of no models predicts nothing. Give at least one.")
        shapes = {_shape(model) for model in models}
        if len(shapes) > 1:
            text = "; ".join(f"{v} tokens in, {w} out, {kind}" for v, w, kind in sorted(shapes))
            raise UsageError(
                f"an ensemble needs models of one vocabulary and one shape, but these have: {text}."
                " Use models that were trained with the same tokenizer."
            )
        self.models = nn.ModuleList(models)
        self.continues_source = models[0].encoder is None

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> "Caches":
        """Return one cache for each model."""
        return Caches([model.prefill(source, keep, rows) for model in self._members()])

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Return logits (R, T, V), the log of the mean probability, and concatenated states."""
        assert isinstance(cache, Caches)
        pairs = zip(self._members(), cache.caches, strict=True)
        steps = [model.step(ids, one) for model, one in pairs]
        cache._sync()
        log_probs = torch.stack([step.logits.log_softmax(-1) for step in steps])  # (M, R, T, V)
        mean = log_probs.logsumexp(0) - math.log(len(steps))
        return Step(mean, torch.cat([step.state for step in steps], -1))

    def _members(self) -> list[Model]:
        return cast(list[Model], list(self.models))


class Caches:
    """The caches of an ensemble's models, as one."""

    def __init__(self, caches: Sequence[Cache]) -> None:
        self.caches = caches
        self._sync()

    def _sync(self) -> None:
        """Copy the number of tokens and rows from the caches."""
        self.length, self.rows = self.caches[0].length, self.caches[0].rows

    def expand(self, k: int) -> None:
        for cache in self.caches:
            cache.expand(k)
        self._sync()

    def reorder(self, parents: Tensor) -> None:
        for cache in self.caches:
            cache.reorder(parents)

    def keep_rows(self, rows: Tensor) -> None:
        for cache in self.caches:
            cache.keep_rows(rows)
        self._sync()

    def truncate(self, n: int) -> None:
        for cache in self.caches:
            cache.truncate(n)
        self._sync()


def _shape(model: Model) -> tuple[int, int, str]:
    c = model.config
    kind = "encoder-decoder" if c.n_encoder_layers else "decoder-only model"
    return c.vocab_size, c.target_vocab_size or c.vocab_size, kind
