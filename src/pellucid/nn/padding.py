"""Batches of rows of similar length, and padding of rows to one tensor."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from pellucid.nn.masks import keep_from

MAX_LOGITS = 1 << 24
"""Logits of one batch, if all are kept: 64 MiB in float32."""


def batches(
    lengths: Sequence[int], *, max_rows: int = 0, max_tokens: int = 0
) -> Iterator[list[int]]:
    """Yield the indices of rows that share a batch: rows of similar length, longest first.

    A batch has at most `max_rows` rows and `max_tokens` tokens, padding counted; 0 means any
    number. A longer row is a batch by itself.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        n = max_rows or len(order)
        if max_tokens:
            n = min(n, max(1, max_tokens // max(1, lengths[order[start]])))
        yield order[start : start + n]
        start += n


def pad_rows(
    rows: Sequence[Sequence[int] | np.ndarray], value: int, *, left: bool = False
) -> np.ndarray:
    """Return rows as (B, longest) int64, filled with `value` on the right, or on the left."""
    longest = max(map(len, rows), default=0)
    padded = np.full((len(rows), longest), value, dtype=np.int64)
    for i, row in enumerate(rows):
        start = longest - len(row) if left else 0
        padded[i, start : start + len(row)] = row
    return padded


def pad_batch(
    rows: Sequence[Sequence[int]], value: int, device: torch.device, *, left: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return ids (B, longest) by `pad_rows`, and keep (B, longest), None without padding."""
    ids = torch.from_numpy(pad_rows(rows, value, left=left))
    keep = keep_from(torch.tensor([len(row) for row in rows]), ids.shape[1])
    if keep is not None and left:
        keep = keep.flip(1)
    return ids.to(device), None if keep is None else keep.to(device)


def pad_and_join(tensors: Sequence[Tensor], dim: int) -> Tensor:
    """Concatenate the rows of tensors, with zeros at the end of the shorter ones in `dim`."""
    n_rows, shape = sum(map(len, tensors)), list(tensors[0].shape)
    shape[dim] = max(x.shape[dim] for x in tensors)
    joined = tensors[0].new_zeros(n_rows, *shape[1:])
    for rows, x in zip(joined.split([len(x) for x in tensors]), tensors, strict=True):
        rows.narrow(dim, 0, x.shape[dim]).copy_(x)
    return joined
