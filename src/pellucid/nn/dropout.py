"""Dropout, the only random operation inside a model."""

from torch import Tensor

from pellucid.nn import kernels


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), in training only.

    On the CPU p is rounded to a multiple of 1/256, unless that would be 0 or 1.
    Draws from torch's default generator, which the trainer seeds for each micro-batch.
    """
    return kernels.dropout(x, p) if training and p else x
