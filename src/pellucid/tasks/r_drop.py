"""R-Drop: two passes with different dropout learn to predict the same (Liang et al. 2021)."""

from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.nn.losses import symmetric_divergence
from pellucid.tasks.protocol import Term

NAME = "r_drop"


def r_drop_count(weight: float, n: int) -> dict[str, int]:
    """Return the divisor of the divergence, n predictions; empty with a weight of 0."""
    return {NAME: n} if weight else {}


def loss_terms(
    name: str,
    score: Callable[[], Tensor],
    loss: Callable[[Tensor], Tensor],
    weight: float,
    are_binary: bool = False,
) -> dict[str, Term]:
    """Return the loss of the logits (N, V) that `score` computes, as term `name`.

    are_binary: each logit is that of a yes or no, not of one of V classes.

    With a weight, `score` runs twice: the loss is the mean of both passes, and the divergence of
    their predictions is a second term. Together they are half of eq. 3 and 4 of the paper, whose
    loss is the sum of both passes.
    """
    logits = score()
    if not weight:
        return {name: Term(loss(logits))}
    others = score()
    pair = (_as_classes(logits), _as_classes(others)) if are_binary else (logits, others)
    return {
        name: Term((loss(logits) + loss(others)) / 2),
        NAME: Term(symmetric_divergence(*pair) / 2, weight / 2),
    }


def _as_classes(logits: Tensor) -> Tensor:
    """Return (N, 2) logits of no and yes from N logits of yes."""
    return torch.stack([torch.zeros_like(logits), logits], -1).flatten(0, -2)
