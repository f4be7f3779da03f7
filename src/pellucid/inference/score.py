"""Log-probabilities of given translations, by forced decoding."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.decoding.search import device_of
from pellucid.errors import DataError
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import wrap_source, wrap_target
from pellucid.inference.methods import check_can_translate
from pellucid.nn.padding import MAX_LOGITS, batches, pad_batch


class Scored(NamedTuple):
    """The score of one given translation."""

    log_prob: float
    """Natural logarithm, summed over the tokens and the end token."""
    tokens: int
    """Number of summed tokens."""

    @property
    def perplexity(self) -> float:
        """exp(-mean log-probability of a token)."""
        return float(torch.tensor(-self.log_prob / self.tokens, dtype=torch.float64).exp())


@torch.inference_mode()
def score(
    bundle: Bundle, pairs: Sequence[tuple[str, str]], names: Sequence[str] = ()
) -> list[Scored]:
    """Return the log-probability of each target given its source, in the order of the pairs.

    The model's own distribution, unsmoothed; nothing is banned or cut. Batched by length.
    names: what an error calls each pair, such as a file and its line.
    Raises: UsageError if the model cannot translate; DataError if a text has more tokens than the
    model reads.
    """
    check_can_translate(bundle)
    source, target = bundle.tokenizers.source, bundle.tokenizers.target
    sources = [wrap_source(bundle, ids) for ids in source.encode_batch([s for s, _ in pairs])]
    targets = [wrap_target(bundle, ids) for ids in target.encode_batch([t for _, t in pairs])]
    c = bundle.model_config
    for i, (source_ids, target_ids) in enumerate(zip(sources, targets, strict=True)):
        if 0 < c.max_positions < max(len(source_ids), len(target_ids)):
            name = names[i] if names else f"pair {pairs[i][0][:40]!r}"
            raise DataError(
                f"{name}: {len(source_ids)} source and {len(target_ids)} target tokens, but this"
                f" model reads {c.max_positions} on each side. Shorten the pair or leave it out."
            )
    max_tokens = MAX_LOGITS // (c.target_vocab_size or c.vocab_size)
    scored = [Scored(0.0, 0)] * len(pairs)
    for batch in batches([len(target) for target in targets], max_tokens=max_tokens):
        sums = _sums(bundle, [sources[i] for i in batch], [targets[i] for i in batch])
        for i, log_prob in zip(batch, sums.tolist(), strict=True):
            scored[i] = Scored(log_prob, len(targets[i]))
    return scored


def _sums(bundle: Bundle, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> Tensor:
    """Return the summed log-probabilities (B,) in float64."""
    model = bundle.model
    device = device_of(model)
    start = bundle.special_ids.start
    ids, keep = pad_batch(sources, bundle.tokenizers.source.id("pad"), device)  # (B, S)
    inputs, real = pad_batch([[start, *target[:-1]] for target in targets], start, device)  # (B, T)
    labels, _ = pad_batch(targets, start, device)  # (B, T)
    logits = model.heads["lm"](model(ids, keep, inputs))  # (B, T, V)
    chosen = logits.gather(-1, labels[..., None])[..., 0] - logits.logsumexp(-1)  # (B, T)
    return (chosen if real is None else chosen.masked_fill(~real, 0.0)).double().sum(-1)
