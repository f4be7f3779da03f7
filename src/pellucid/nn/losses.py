"""What training minimises."""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 256
"""Rows whose probabilities are alive at once on a CPU: 10 MB at V = 10,000 stay in its cache."""


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Sum over tokens of the cross-entropy with a smoothed target, a scalar in float32.

    logits (N, V), targets (N,). The target gives `smoothing` of its mass to the whole
    vocabulary evenly (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).
    """
    return _CrossEntropy.apply(logits, targets, smoothing)  # type: ignore[return-value]


def perplexity(loss_sum: float, count: int) -> float:
    """exp of the mean unsmoothed loss a token, in tokens; inf where that overflows."""
    mean = loss_sum / max(count, 1)
    return math.exp(mean) if mean < 700 else math.inf


class _CrossEntropy(torch.autograd.Function):
    """The gradient is made where the probabilities are at hand, in their place.

    d loss / d logits = softmax - (1 - s) onehot - s / V. Torch's own backward makes the smoothed
    target's gradient, then the softmax again: on a CPU that cost half of a small model's step.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        grad = torch.empty_like(logits) if wanted else None
        rows = CHUNK if logits.device.type == "cpu" else len(logits)
        loss = torch.zeros((), dtype=_precise(logits), device=logits.device)
        for at in range(0, len(logits), max(rows, 1)):
            part = slice(at, at + rows)
            log_probs = logits[part].log_softmax(-1, dtype=loss.dtype)  # (rows, V)
            here = targets[part, None]  # (rows, 1)
            loss += log_probs.gather(1, here).sum() * (smoothing - 1)
            if smoothing:
                loss -= log_probs.sum() * (smoothing / logits.shape[1])
            if grad is not None:
                probs = log_probs.exp_()
                if smoothing:
                    probs -= smoothing / logits.shape[1]
                probs.scatter_add_(1, here, probs.new_full(here.shape, smoothing - 1))
                grad[part] = probs
        if grad is not None:
            ctx.save_for_backward(grad)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss: Tensor):  # type: ignore[override]
        (grad,) = ctx.saved_tensors
        return grad * grad_loss, None, None


def _precise(x: Tensor) -> torch.dtype:
    """float32, or float64 where the input is."""
    return torch.promote_types(x.dtype, torch.float32)
