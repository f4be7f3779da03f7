"""How probable a model finds given translations: forced decoding."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.decoding.search import device_of
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import source_row, target_row
from pellucid.inference.batches import batches
from pellucid.inference.methods import check_translates
from pellucid.nn.padding import padded


class Scored(NamedTuple):
    """What a model says of one given translation."""

    log_prob: float
    """Natural logarithm, summed over the tokens and the end token."""
    tokens: int
    """How many were summed."""

    @property
    def perplexity(self) -> float:
        """exp(-mean log-probability of a token)."""
        return float(torch.tensor(-self.log_prob / self.tokens, dtype=torch.float64).exp())


@torch.inference_mode()
def score(directory: Bundle, pairs: Sequence[tuple[str, str]]) -> list[Scored]:
    """The log-probability of each target given its source, in the order of the pairs.

    The model's own distribution, unsmoothed; nothing is banned or cut. Batched by length.
    Raises: UsageError if the model translates nothing.
    """
    check_translates(directory)
    source, target = directory.tokenizers.source, directory.tokenizers.target
    sources = [source_row(directory, ids) for ids in source.encode_batch([s for s, _ in pairs])]
    targets = [target_row(directory, ids) for ids in target.encode_batch([t for _, t in pairs])]
    lengths = [(len(t), len(s)) for s, t in zip(sources, targets, strict=True)]
    c = directory.model_config
    width = c.target_vocab_size or c.vocab_size
    found = [Scored(0.0, 0)] * len(pairs)
    for chosen in batches(lengths, width):
        sums = _sums(directory, [sources[i] for i in chosen], [targets[i] for i in chosen])
        for i, log_prob in zip(chosen, sums.tolist(), strict=True):
            found[i] = Scored(log_prob, len(targets[i]))
    return found


def _sums(directory: Bundle, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> Tensor:
    """Summed log-probabilities (B,) in float64."""
    model = directory.model
    device = device_of(model)
    start = directory.special_ids.start
    ids, keep = padded(sources, directory.tokenizers.source.id("pad"), device)  # (B, S)
    inputs, real = padded([[start, *target[:-1]] for target in targets], start, device)  # (B, T)
    labels, _ = padded(targets, start, device)  # (B, T)
    logits = model.heads["lm"](model(ids, keep, inputs))  # (B, T, V)
    chosen = logits.gather(-1, labels[..., None])[..., 0] - logits.logsumexp(-1)  # (B, T)
    return (chosen if real is None else chosen.masked_fill(~real, 0.0)).double().sum(-1)
