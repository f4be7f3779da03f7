"""Which source token each token of finished translations came from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from pellucid.decoding.alignment import align, hard_alignment, source_tap
from pellucid.formats.bundle import Bundle
from pellucid.inference.translate import Translation
from pellucid.nn.padding import batches

Alignment = tuple[tuple[int, int], ...]


def add_alignments(
    bundles: Sequence[Bundle], ranked: Sequence[Sequence[Translation]]
) -> list[list[Translation]]:
    """Return the translations with their alignments, computed in batches of forced decoding.

    A source that was split is aligned as it was translated: part by part.
    Of an ensemble the mean of all models' attention counts, each in the layer its bundle names;
    nothing is aligned where no model attends to its source.
    The models must be the original ones: a packed copy records no attention.
    Raises: UsageError if a decoder has no such layer.
    """
    attending = [b for b in bundles if b.model.source_weights]
    if not attending:
        return [list(translations) for translations in ranked]
    for b in attending:  # a wrong layer is an error before there is any text
        source_tap(b.model, b.decoding.alignment_layer)
    parts = [part for translations in ranked for t in translations for part in _parts(t)]
    aligned = iter(_align(attending, parts))
    return [
        [
            replace(t, alignment=tuple(pair for _ in t.part_lengths for pair in next(aligned)))
            for t in translations
        ]
        for translations in ranked
    ]


class _Part(NamedTuple):
    source_ids: Sequence[int]
    ids: Sequence[int]
    source_start: int
    """Source tokens of the parts before this one."""
    start: int
    """Target tokens of the parts before this one."""


def _parts(text: Translation) -> Iterator[_Part]:
    source_start = start = 0
    for n_source, n in text.part_lengths:
        source_ids = text.source_ids[source_start : source_start + n_source]
        yield _Part(source_ids, text.ids[start : start + n], source_start, start)
        source_start, start = source_start + n_source, start + n


def _align(bundles: Sequence[Bundle], parts: Sequence[_Part]) -> list[Alignment]:
    """Return the alignment of each part, with token numbers in the whole text."""
    first = bundles[0]
    start, size = first.special_ids.start, first.decoding.batch_size
    aligned: list[Alignment] = [()] * len(parts)
    todo = [i for i, part in enumerate(parts) if part.ids]
    for batch in batches([len(parts[i].ids) for i in todo], max_rows=size):
        chosen = [todo[i] for i in batch]
        sources, targets = [parts[i].source_ids for i in chosen], [parts[i].ids for i in chosen]
        weights = [
            align(b.model, sources, targets, start=start, layer=b.decoding.alignment_layer)
            for b in bundles
        ]
        for i, *each in zip(chosen, *weights, strict=True):
            pairs = hard_alignment(torch.stack(each).mean(0))  # of (T, S)
            part = parts[i]
            aligned[i] = tuple((part.source_start + s, part.start + t) for t, s in pairs)
    return aligned
