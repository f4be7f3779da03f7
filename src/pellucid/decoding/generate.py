"""Sources in any order, of any length: batched for speed, given back as they came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.search import Hypothesis, Limits, Vocabulary, device_of, search
from pellucid.errors import UsageError
from pellucid.nn.cache import Decoder
from pellucid.nn.masks import keep_from

SLACK = 20
"""Tokens that a text may have beyond twice its source's, where no longest length is set."""


@dataclass(frozen=True)
class Request:
    """What to generate from."""

    sources: Sequence[Sequence[int]]
    """Ids, their end token included where the model was trained with one."""
    prefixes: Sequence[Sequence[int]] = ()
    """Ids that each text begins with; one for each source, or none."""
    pad: int = 0
    """An id to fill short rows with; it is masked."""


@torch.inference_mode()
def generate(
    model: Decoder,
    request: Request,
    vocabulary: Vocabulary,
    config: DecodingConfig,
    progress: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """The n best texts for each source, best first, in the order of the sources.

    progress: called with how many more sources are done.
    Raises: UsageError if there are fewer or more prefixes than sources, or as `search`.
    """
    sources, prefixes = request.sources, request.prefixes
    if prefixes and len(prefixes) != len(sources):
        raise UsageError(
            f"{len(prefixes)} prefixes for {len(sources)} sources. Give one for each source, empty"
            " where nothing is forced, or none at all."
        )
    order = sorted(range(len(sources)), key=lambda i: -len(sources[i]))
    results: list[list[Hypothesis]] = [[] for _ in sources]
    for at in range(0, len(order), config.batch_size):
        chosen = order[at : at + config.batch_size]
        batch = [sources[i] for i in chosen]
        limits = Limits(
            max_lengths=[config.max_length or 2 * len(source) + SLACK for source in batch],
            prefixes=[prefixes[i] for i in chosen] if prefixes else (),
        )
        cache = model.prefill(*padded(batch, request.pad, device_of(model)), len(batch))
        found = search(model, cache, vocabulary, config, limits)
        for i, hypotheses in zip(chosen, found, strict=True):
            results[i] = hypotheses
        if progress is not None:
            progress(len(chosen))
    return results


def padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Ids (B, longest) padded on the right, and keep (B, longest), None if nothing is padded."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], dtype=torch.int64)
    keep = keep_from(torch.tensor([len(row) for row in rows]), longest)
    return ids.to(device), None if keep is None else keep.to(device)
