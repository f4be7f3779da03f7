"""Texts, single or in pairs, as rows of one batch: `[CLS] first [SEP] second [SEP]`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.data.examples import LeftOutRecord, split_into_chunks
from pellucid.data.records import Record
from pellucid.nn.base import Model
from pellucid.nn.heads import pool_states, shift_right
from pellucid.nn.masks import keep_from
from pellucid.nn.padding import pad_rows
from pellucid.tasks.encoder import find_first_token, is_encoder_decoder, max_text_tokens
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.truncation import count_special_tokens, truncate, wrap_texts


class EncodedTexts(NamedTuple):
    """The texts of a record."""

    first: np.ndarray
    second: np.ndarray
    """Empty for a single text."""
    length: int
    """Tokens of both, special ones included."""
    is_cut: bool


class TextRows(NamedTuple):
    """Padded texts or pairs, special tokens included."""

    ids: Tensor  # (B, T)
    keep: Tensor | None  # (B, T), True = real; None if no row is padded
    segments: Tensor | None  # (B, T); None if the model does not distinguish them
    decoder_ids: Tensor | None = None  # (B, T), the text again for the decoder, if there are both
    is_end: Tensor | None = None  # (B, T), True = end token, of an encoder-decoder

    def to(self, device: torch.device) -> "TextRows":
        return TextRows(
            *(None if x is None else x.to(device, non_blocking=True) for x in self)  # type: ignore[arg-type]
        )

    def count_tokens(self) -> int:
        """Return the number of tokens, special ones included."""
        return self.ids.numel() if self.keep is None else int(self.keep.sum())


def encode_texts(
    records: Iterable[Record], inputs: TaskInputs
) -> Iterator[tuple[Record, EncodedTexts | LeftOutRecord]]:
    """Yield each record with the ids of its first two columns, cut to `data.max_length` tokens.

    The second column may be None. A text without tokens leaves the record out.
    """
    tokenizer = inputs.tokenizers.source
    n_special = [count_special_tokens(tokenizer, is_pair) for is_pair in (False, True)]
    limit = max_text_tokens(inputs) + n_special[0]
    for chunk in split_into_chunks(records):
        firsts = tokenizer.encode_batch([record.values[0] for record in chunk])
        seconds = tokenizer.encode_batch([record.values[1] or "" for record in chunk])
        for record, first, second in zip(chunk, firsts, seconds, strict=True):
            is_pair = record.values[1] is not None
            if not first or (is_pair and not second):
                yield record, LeftOutRecord("blank")
                continue
            a, b = truncate(first, second, max(0, limit - n_special[is_pair]))
            length = len(a) + len(b) + n_special[is_pair]
            is_cut = len(a) + len(b) < len(first) + len(second)
            yield record, EncodedTexts(np.array(a, np.int32), np.array(b, np.int32), length, is_cut)


def pad_text_rows(texts: Sequence[Sequence[np.ndarray]], inputs: TaskInputs) -> TextRows:
    """Return texts as a batch. Each has a first and a second text, which may be empty."""
    tokenizer = inputs.tokenizers.source
    rows = [
        wrap_texts(tokenizer, first.tolist(), second.tolist() if len(second) else None).wrapped
        for first, second, *_ in texts
    ]
    ids = torch.from_numpy(pad_rows([row.ids for row in rows], tokenizer.roles.get("pad", 0)))
    segments = None
    models = (inputs.model_config, *(teacher.model_config for teacher in inputs.teachers))
    if any(model.n_segments > 1 for model in models):
        segments = torch.from_numpy(pad_rows([row.segments for row in rows], 0))
    lengths = torch.tensor([len(row.ids) for row in rows])
    keep = keep_from(lengths, ids.shape[1])
    if not is_encoder_decoder(inputs):
        return TextRows(ids, keep, segments)
    decoder_ids = shift_right(ids, keep, find_first_token(inputs))
    return TextRows(ids, keep, segments, decoder_ids, ids == tokenizer.id("eos"))


def compute_states(module: nn.Module, rows: TextRows) -> Tensor:
    """Return the states of the last stack (B, T, D)."""
    return module(rows.ids, rows.keep, rows.decoder_ids, segments=rows.segments)


def score_texts(module: nn.Module, rows: TextRows, head: str) -> Tensor:
    """Return the outputs (B, C) of a head of kind sequence, in float32."""
    assert isinstance(module, Model)
    if module.config.n_segments < 2:  # a teacher may distinguish segments, and its student not
        rows = rows._replace(segments=None)
    state = compute_states(module, rows)
    pooled = pool_states(state, rows.keep, rows.is_end, module.head_configs[head].pool)  # (B, D)
    return module.heads[head](pooled).float()
