"""Rows of ids to one padded tensor."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.nn.masks import keep_from


def padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Ids (B, longest) padded on the right, and keep (B, longest), None if nothing is padded."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], dtype=torch.int64)
    keep = keep_from(torch.tensor([len(row) for row in rows]), longest)
    return ids.to(device), None if keep is None else keep.to(device)
