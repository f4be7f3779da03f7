"""Pad texts and add special tokens."""

from collections.abc import Sequence

import numpy as np

from pellucid.formats.special_ids import template_ids
from pellucid.nn.padding import pad_rows
from pellucid.text.tokenizer import Tokenizer


def pad_texts(texts: Sequence[np.ndarray], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Return ids (B, T), padded on the right, and lengths (B,).

    texts: the ids of each text, to which the tokenizer's special tokens are added.
    """
    before, after = (np.array(ids, np.int64) for ids in template_ids(tokenizer))
    rows = [np.concatenate((before, text, after)) for text in texts]
    return pad_rows(rows, tokenizer.id("pad")), np.array([len(row) for row in rows])
