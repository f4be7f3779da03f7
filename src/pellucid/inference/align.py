"""Which source token each token of finished translations came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pellucid.decoding.alignment import align, hard_alignment, source_tap
from pellucid.formats.bundle import Bundle
from pellucid.inference.translate import Translated

Alignment = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Translation:
    """A translation, and where each of its tokens came from."""

    text: str
    score: float
    """Length-normalised log-probability."""
    tokens: tuple[str, ...]
    alignment: Alignment
    """Pairs (source token, target token), one for each target token; empty unless asked for."""
    detail: Translated
    """Log-probabilities by token, ids, and whether the text was cut or split."""


def aligned(
    directories: Sequence[Bundle], found: Sequence[Sequence[Translated]], asked: bool
) -> list[list[Translation]]:
    """Each with its alignment if that is asked for. Raises: as `alignments`."""
    flat = [t for hypotheses in found for t in hypotheses]
    pairs = iter(alignments(directories, flat) if asked else [()] * len(flat))
    return [
        [Translation(t.text, t.score, t.tokens, next(pairs), t) for t in hypotheses]
        for hypotheses in found
    ]


def alignments(directories: Sequence[Bundle], found: Sequence[Translated]) -> list[Alignment]:
    """(source token, target token) pairs of each, by forced passes over batches of them.

    Of an ensemble the mean of all models' attention counts, each in the layer its directory names;
    nothing is aligned where no model looks at its source.
    The models must be plain ones, as trained: a prepared copy shows no attention.
    Raises: UsageError if a decoder has no such layer.
    """
    first = directories[0]
    start, size = first.special_ids.start, first.decoding.batch_size
    pairs_of: list[Alignment] = [()] * len(found)
    looking = [d for d in directories if d.model.source_weights]
    if not looking:
        return pairs_of
    for d in looking:  # a wrong layer is known before there is any text
        source_tap(d.model, d.decoding.alignment_layer)
    todo = sorted((i for i, t in enumerate(found) if t.ids), key=lambda i: len(found[i].ids))
    for at in range(0, len(todo), size):
        batch = [found[i] for i in todo[at : at + size]]
        sources, targets = [t.source_ids for t in batch], [t.ids for t in batch]
        each = [
            align(d.model, sources, targets, start=start, layer=d.decoding.alignment_layer)
            for d in looking
        ]
        for i, *weights in zip(todo[at : at + size], *each, strict=True):
            pairs = hard_alignment(torch.stack(weights).mean(0))
            pairs_of[i] = tuple((source, target) for target, source in pairs)
    return pairs_of
