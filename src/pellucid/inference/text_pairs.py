"""Outputs of a head for texts and pairs of texts."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import Inputs, logits
from pellucid.nn.padding import MAX_LOGITS, batches, pad_batch
from pellucid.text.guard import clean_text
from pellucid.text.template import Wrapped
from pellucid.text.truncation import wrap_texts
from pellucid.text.words import unknown_ids

Texts = str | tuple[str, str] | list[str]
"""A text, or a pair of texts."""
SHAPE = "Give a text, or a pair of two texts."


def score_texts(
    bundle: Bundle, texts: Sequence[Texts], head: str, on_cut: Callable[[int], None] | None = None
) -> Tensor:
    """Return the outputs (N, C) of a head of kind sequence, in float32 on the CPU.

    on_cut: called with the number of texts that are longer than the model reads, if any.
    Raises: UsageError if one is neither a text nor a pair.
    """
    rows = _wrap(bundle, texts, on_cut)
    n_outputs = bundle.model.head_configs[head].outputs
    scores = torch.empty(len(rows), n_outputs)
    pad = bundle.tokenizers.source.roles.get("pad", 0)
    # A feed-forward's states are wider than a text's logits.
    max_tokens = MAX_LOGITS // max(n_outputs, 4 * bundle.model_config.d_model)
    has_segments = bundle.model_config.n_segments > 1
    for chosen in batches([len(row.ids) for row in rows], max_tokens=max_tokens):
        batch = [rows[i] for i in chosen]
        ids, keep = pad_batch([row.ids for row in batch], pad, torch.device("cpu"))  # (B, T)
        segments = None
        if has_segments:
            segments, _ = pad_batch([row.segments for row in batch], 0, torch.device("cpu"))
        inputs = Inputs(ids, keep, segments=segments)
        scores[chosen] = logits(bundle, inputs, head).cpu()  # (B, C)
    return scores


def split_pair(texts: Texts) -> tuple[str, str | None]:
    """Return a text and None, or the two texts of a pair. Raises: UsageError."""
    if isinstance(texts, str):
        return texts, None
    if not isinstance(texts, (list, tuple)) or len(texts) != 2:
        raise UsageError(f"{texts!r:.60} is neither a text nor a pair. {SHAPE}")
    return texts[0], texts[1]


def _wrap(
    bundle: Bundle, texts: Sequence[Texts], on_cut: Callable[[int], None] | None
) -> list[Wrapped]:
    """Return the ids of each text or pair, cut to what the model reads."""
    tokenizer, limit = bundle.tokenizers.source, bundle.model_config.max_positions
    pairs = [split_pair(each) for each in texts]
    firsts = tokenizer.encode_batch([clean_text(first) for first, _ in pairs])
    seconds = tokenizer.encode_batch([clean_text(second or "") for _, second in pairs])
    rows = [
        wrap_texts(tokenizer, first, None if pair[1] is None else second, limit)
        for pair, first, second in zip(pairs, firsts, seconds, strict=True)
    ]
    n_cut = sum(row.n_cut > 0 for row in rows)
    if on_cut is not None and n_cut:
        on_cut(n_cut)
    if all(row.wrapped.ids for row in rows):
        return [row.wrapped for row in rows]
    unknown = unknown_ids(tokenizer)  # a model without special tokens cannot read an empty row
    return [
        row.wrapped if row.wrapped.ids else Wrapped(unknown, [0] * len(unknown)) for row in rows
    ]
