"""Which source token each token of finished translations came from."""

from collections.abc import Sequence

import torch

from pellucid.decoding.alignment import align, hard_alignment
from pellucid.families.directory import ModelDirectory
from pellucid.tasks.translate import Translated
from pellucid.tasks.vocabulary import vocabulary

Alignment = tuple[tuple[int, int], ...]


def alignments(
    directories: Sequence[ModelDirectory], found: Sequence[Translated]
) -> list[Alignment]:
    """(source token, target token) pairs of each, by forced passes over batches of them.

    Of an ensemble the mean of all models' attention counts, each in the layer its directory names;
    nothing is aligned where no model looks at its source.
    The models must be plain ones, as trained: a prepared copy shows no attention.
    """
    first = directories[0]
    start, size = vocabulary(first).start, first.decoding.batch_size
    aligned: list[Alignment] = [()] * len(found)
    looking = [d for d in directories if d.model.source_weights]
    if not looking:
        return aligned
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
            aligned[i] = tuple((source, target) for target, source in pairs)
    return aligned
