"""Pad texts and add special tokens."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pellucid.formats.special_ids import template_ids
from pellucid.nn.padding import pad_rows
from pellucid.text.tokenizer import Tokenizer


class PaddedTexts(NamedTuple):
    """Texts or pairs of texts with their special tokens, padded on the right."""

    ids: np.ndarray  # (B, T)
    lengths: np.ndarray  # (B,)
    is_text: np.ndarray  # (B, T), True where a token is neither special nor padding
    segments: np.ndarray | None  # (B, T), which text of a pair; None without pairs


def pad_texts(texts: Sequence[np.ndarray], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Return ids (B, T), padded on the right, and lengths (B,).

    texts: the ids of each text, to which the tokenizer's special tokens are added.
    """
    before, after = (np.array(ids, np.int64) for ids in template_ids(tokenizer))
    rows = [np.concatenate((before, text, after)) for text in texts]
    return pad_rows(rows, tokenizer.id("pad")), np.array([len(row) for row in rows])


def pad_wrapped(rows: Sequence[Sequence[np.ndarray]], tokenizer: Tokenizer) -> PaddedTexts:
    """Return texts with the tokenizer's special tokens.

    rows: the ids of one text each, or of two each.
    """
    ids, is_text, segments = [], [], []
    for texts in rows:
        wrapped = tokenizer.template.wrap(*(text.tolist() for text in texts))
        marks = tokenizer.template.wrap(*([-1] * len(text) for text in texts))
        ids.append(wrapped.ids)
        is_text.append(np.array(marks.ids) == -1)
        segments.append(wrapped.segments)
    has_pairs = any(len(texts) == 2 for texts in rows)
    return PaddedTexts(
        pad_rows(ids, tokenizer.id("pad")),
        np.array([len(row) for row in ids]),
        pad_rows(is_text, 0).astype(bool),
        pad_rows(segments, 0) if has_pairs else None,
    )
