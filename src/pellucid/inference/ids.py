"""Convert texts to the ids that a model reads, special tokens included."""

from collections.abc import Sequence
from typing import NamedTuple

from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import wrap_source


class Row(NamedTuple):
    """One text as a model reads it."""

    ids: list[int]
    """Empty only if the text is empty and the model has no special tokens."""
    n_cut: int
    """Number of tokens cut off at the end."""


def text_rows(bundle: Bundle, texts: Sequence[str], limit: int = 0) -> list[Row]:
    """Return the ids of each text with special tokens, at most `limit` ids; 0 means no limit."""
    room = limit - len(wrap_source(bundle, [])) if limit else None
    encoded = bundle.tokenizers.source.encode_batch(texts)
    kept = encoded if room is None else [ids[: max(0, room)] for ids in encoded]
    return [
        Row(wrap_source(bundle, ids), len(whole) - len(ids))
        for ids, whole in zip(kept, encoded, strict=True)
    ]


def pair_ids(bundle: Bundle, first: str, second: str) -> list[int]:
    """Return the ids of two texts as one row, e.g. [CLS] first [SEP] second [SEP]."""
    a, b = bundle.tokenizers.source.encode_batch([first, second])
    return bundle.tokenizers.source.add_special_tokens(a, b).ids
