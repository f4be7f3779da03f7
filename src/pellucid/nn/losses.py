"""What training minimises."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Sum over tokens of the cross-entropy with a smoothed target, a scalar in float32.

    logits (N, V), targets (N,). The target gives `smoothing` of its mass to the whole
    vocabulary evenly (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).
    """
    return F.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=smoothing)


def perplexity(loss_sum: float, count: int) -> float:
    """exp of the mean unsmoothed loss a token, in tokens; inf where that overflows."""
    mean = torch.tensor(loss_sum / max(count, 1), dtype=torch.float64)
    return float(mean.exp())
