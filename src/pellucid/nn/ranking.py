"""A loss of cosines that orders pairs of texts as their scores do."""

import torch
from torch import Tensor

SCALE = 20.0
"""The inverse temperature of the source."""


def cosent(cosines: Tensor, scores: Tensor) -> Tensor:
    """Return log(1 + sum exp(20 (cos_i - cos_j))) over all pairs i, j with score_i < score_j.

    cosines, scores: (N,). Only the order of scores matters, so they may have any range.
    Source: CoSENT (Su 2022), as in sentence-transformers' CoSENTLoss.
    """
    scaled = SCALE * cosines.to(torch.promote_types(cosines.dtype, torch.float32))
    differences = scaled[:, None] - scaled[None, :]  # (N, N)
    wrong = differences[scores[:, None] < scores[None, :]]
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), 0)
