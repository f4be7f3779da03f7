"""Align target tokens with source tokens by the decoder's attention to the source."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pellucid.decoding.search import device_of
from pellucid.errors import UsageError
from pellucid.nn.base import Model
from pellucid.nn.padding import pad_batch
from pellucid.taps import record

Pairs = list[tuple[int, int]]


@torch.inference_mode()
def align(
    model: Model,
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    *,
    start: int,
    layer: int = -2,
) -> list[Tensor]:
    """Return the attention (T, S) of each pair, averaged over heads, on the CPU.

    Row t is from the step that predicts target token t; its input is token t - 1.
    sources: ids of the encoder. targets: ids without the start token, with or without the end
    token. start: the first token of the decoder. layer: index of a decoder layer; the last but one
    by default, as in Garg et al. 2019.
    Raises: UsageError if the decoder has no such layer or no attention to a source.
    """
    if not sources:
        return []
    device = device_of(model)
    ids, keep = pad_batch(sources, 0, device)  # (B, S)
    # Padding needs no mask: it is on the right, where a causal decoder does not attend.
    shifted = [[start, *target[:-1]] for target in targets]
    target_ids, _ = pad_batch(shifted, start, device)  # (B, T)
    path = source_tap(model, layer)
    with record(model, path) as seen:
        model(ids, keep, target_ids)
    weights = torch.cat(seen[path], 2)  # (B, H, T, S), also of a model that records step by step
    mean = weights.mean(1, dtype=torch.float32).cpu()  # (B, T, S)
    sizes = [(len(target), len(source)) for source, target in zip(sources, targets, strict=True)]
    return [rows[:t, :s] for rows, (t, s) in zip(mean, sizes, strict=True)]


def source_tap(model: Model, layer: int) -> str:
    """Return the tap of a layer's attention to the source. Raises: UsageError as `align`."""
    paths = model.source_weights
    n = len(paths)
    if not n:
        raise UsageError(
            "alignment needs an encoder-decoder with attention to its source: this model has no"
            " such attention. Use another model."
        )
    if n == 1 and layer == -2:
        return paths[0]  # with a single layer there is no last but one
    if not -n <= layer < n:
        raise UsageError(f"layer={layer}, but this decoder has {n} layers: give {-n} to {n - 1}.")
    return paths[layer]


def hard_alignment(weights: Tensor) -> Pairs:
    """Return (target piece, source piece) of the greatest weight in each row of weights (T, S)."""
    return list(enumerate(weights.argmax(-1).tolist())) if weights.numel() else []


def word_alignment(
    weights: Tensor, target_words: Sequence[int | None], source_words: Sequence[int | None]
) -> Pairs:
    """Return sorted (target word, source word) pairs from attention (T, S) between pieces.

    target_words, source_words: word of each piece, None for pieces of no word (the end token); T
    and S entries. Attention is summed over the pieces of a source word and averaged over those of a
    target word. Each target word is aligned with the source word of the greatest value.
    """
    if weights.shape != (len(target_words), len(source_words)):
        raise UsageError(
            f"weights are {tuple(weights.shape)}, but words are given for {len(target_words)}"
            f" target and {len(source_words)} source pieces. Give one entry for each piece."
        )
    rows, columns = _pieces_of_words(target_words), _pieces_of_words(source_words)
    if not rows or not columns:
        return []
    to_rows = torch.stack(list(rows.values())).to(weights.dtype)  # (target words, T)
    to_columns = torch.stack(list(columns.values())).to(weights.dtype)  # (source words, S)
    words = to_rows @ weights @ to_columns.T  # (target words, source words)
    names = list(columns)
    return [(word, names[i]) for word, i in zip(rows, words.argmax(-1).tolist(), strict=True)]


def _pieces_of_words(words: Sequence[int | None]) -> Mapping[int, Tensor]:
    """Return word -> (pieces,), True for the pieces of the word; words are sorted."""
    return {
        word: torch.tensor([w == word for w in words])
        for word in sorted({w for w in words if w is not None})
    }
