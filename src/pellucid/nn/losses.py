"""Loss functions."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pellucid.nn.kernels import product

CHUNK = 1_280_000
"""Probabilities that are computed at once on a CPU: 5 MB fit its cache."""
FUSED_CHUNK = 5_000_000
"""Logits that exist at once in `linear_cross_entropy`."""


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy with smoothed targets, summed over tokens: a scalar in float32.

    logits (N, V), targets (N,). A share `smoothing` of the target's probability is spread evenly
    over the vocabulary (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).
    """
    return _CrossEntropy.apply(logits, targets, smoothing)  # type: ignore[return-value]


def linear_cross_entropy(
    x: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Return `cross_entropy(x W^T + b, targets, smoothing)` without ever holding all logits.

    x (N, D), weight (V, D), bias (V,), targets (N,). In autocast, products have its dtype.
    """
    return _LinearCrossEntropy.apply(x, weight, bias, targets, smoothing)  # type: ignore[return-value]


def divergence(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Return the Kullback-Leibler divergence from a teacher, summed over tokens, in float32.

    logits, teacher_logits: (N, V). Both are divided by the temperature; the sum is multiplied by
    its square, so that gradients keep their size. No gradient reaches the teacher.
    Source: Hinton et al. 2015, section 2.
    """
    return _Divergence.apply(logits, teacher_logits.detach(), temperature)  # type: ignore[return-value]


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Return KL(p, q) + KL(q, p) of the distributions of two logits, summed over rows, in float32.

    first, second: (N, V). Source: Liang et al. 2021, eq. 2, without its 1/2.
    """
    return _SymmetricDivergence.apply(first, second)  # type: ignore[return-value]


def perplexity(loss_sum: float, count: int) -> float:
    """Return exp of the mean unsmoothed loss per token; inf if that overflows."""
    mean = loss_sum / max(count, 1)
    return math.exp(mean) if mean < 700 else math.inf


def product_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of matrix products of x: that of autocast, or its own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class _KeepsGradient(torch.autograd.Function):
    """A loss whose forward pass keeps the gradients by its first inputs for the backward pass."""

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss: Tensor):  # type: ignore[override]
        grads = [None if grad is None else grad * grad_loss for grad in ctx.saved_tensors]
        return (*grads, *[None] * (len(ctx.needs_input_grad) - len(grads)))


class _SymmetricDivergence(_KeepsGradient):
    """Divergence in both directions; the gradients are computed in the forward pass.

    With d = log p - log q: the loss is the sum of (p - q) d, and its gradient is
    p (d - KL(p, q)) + (p - q) for the first logits, q (-d - KL(q, p)) + (q - p) for the second.
    """

    @staticmethod
    def forward(ctx, first: Tensor, second: Tensor) -> Tensor:
        logits = (first, second)
        grads = [torch.empty_like(x) for x in logits] if any(ctx.needs_input_grad) else []
        loss = torch.zeros((), dtype=_loss_dtype(first), device=first.device)
        for part in _split_rows(first):
            log_p, log_q = (x[part].log_softmax(-1, dtype=loss.dtype) for x in logits)  # (rows, V)
            difference = log_p - log_q
            p, q = log_p.exp_(), log_q.exp_()
            forward, backward = p * difference, q * difference
            loss += forward.sum() - backward.sum()
            if grads:
                grads[0][part] = forward - p * forward.sum(-1, keepdim=True) + p - q
                grads[1][part] = q * backward.sum(-1, keepdim=True) - backward + q - p
        ctx.save_for_backward(*grads)
        return loss


class _CrossEntropy(_KeepsGradient):
    """Cross-entropy whose gradient is computed in the forward pass, from the probabilities there.

    d loss / d logits = softmax - (1 - s) onehot - s / V. Torch's own backward builds the smoothed
    target's gradient and computes the softmax again: on a CPU that took half of a small model's
    step.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        grad = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        loss = torch.zeros((), dtype=_loss_dtype(logits), device=logits.device)
        for part in _split_rows(logits):
            x = logits[part].to(loss.dtype)  # (rows, V)
            probs = x.softmax(-1)
            loss += _sum_losses(x, probs, targets[part], smoothing)
            if grad is not None:
                grad[part] = _differentiate_(probs, targets[part], smoothing)
        if grad is not None:
            ctx.save_for_backward(grad)
        return loss


class _LinearCrossEntropy(_KeepsGradient):
    """A linear layer and the cross-entropy of its outputs; the gradients come from the same pass.

    The logits (N, V) of a small model are far larger than all else in a step. Here some rows at a
    time go through the product, the loss and both products of the backward pass, so that neither
    the logits nor their gradient ever exist as a whole. It saves memory, not time.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, targets, smoothing) -> Tensor:  # type: ignore[override]
        dtype = product_dtype(x)
        states, rows_of_weight = x.to(dtype), weight.to(dtype)
        grad_x = torch.empty_like(x)
        grad_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        grad_bias = torch.zeros_like(bias) if ctx.needs_input_grad[2] else None
        loss = torch.zeros((), dtype=_loss_dtype(x), device=x.device)
        for part in _split(len(x), len(weight), FUSED_CHUNK):
            logits = product(states[part], rows_of_weight).to(loss.dtype)  # (rows, V)
            if bias is not None:
                logits += bias
            probs = logits.softmax(-1)
            loss += _sum_losses(logits, probs, targets[part], smoothing)
            grad = _differentiate_(probs, targets[part], smoothing).to(dtype)
            grad_x[part] = product(grad, rows_of_weight.t())
            if grad_weight is not None:
                grad_weight += product(grad.t(), states[part].t())
            if grad_bias is not None:
                grad_bias += grad.sum(0)
        ctx.save_for_backward(grad_x, grad_weight, grad_bias)
        return loss


class _Divergence(_KeepsGradient):
    """Divergence whose gradient is computed in the forward pass, from the probabilities there.

    d loss / d logits = T (softmax(logits / T) - softmax(teacher / T)). Only this is kept for the
    backward pass, not the distributions of both.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
        grad = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        loss = torch.zeros((), dtype=_loss_dtype(logits), device=logits.device)
        for part in _split_rows(logits):
            student, teacher = (
                (x[part].to(loss.dtype) / temperature).log_softmax(-1)  # (rows, V)
                for x in (logits, teacher_logits)
            )
            target = teacher.exp()
            loss += (target * (teacher - student)).sum() * temperature**2
            if grad is not None:
                grad[part] = (student.exp_() - target) * temperature
        if grad is not None:
            ctx.save_for_backward(grad)
        return loss


def _sum_losses(logits: Tensor, probs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Return the summed cross-entropy of logits (rows, V) and their softmax.

    log p = x - max x + log max p: log-softmax would compute the exponentials a second time.
    """
    highest, log_max = logits.amax(-1), probs.amax(-1).log()  # (rows,)
    log_probs = logits.gather(1, targets[:, None])[:, 0] - highest + log_max
    loss = log_probs.sum() * (smoothing - 1)
    return loss - (logits.mean(-1) - highest + log_max).sum() * smoothing if smoothing else loss


def _differentiate_(probs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Return the gradient of `_sum_losses` by the logits, in the memory of probs (rows, V)."""
    if smoothing:
        probs -= smoothing / probs.shape[1]
    target = targets[:, None]  # (rows, 1)
    return probs.scatter_add_(1, target, probs.new_full(target.shape, smoothing - 1))


def _split_rows(logits: Tensor) -> Iterator[slice]:
    """Yield the rows of logits (N, V) to compute at once."""
    n, vocab_size = logits.shape
    chunk = CHUNK if logits.device.type == "cpu" else logits.numel()
    return _split(n, vocab_size, chunk)


def _split(n: int, vocab_size: int, chunk: int) -> Iterator[slice]:
    """Yield parts of n rows, each of one row or at most `chunk` logits."""
    rows = max(1, chunk // vocab_size)
    return (slice(start, start + rows) for start in range(0, n, rows))


def _loss_dtype(x: Tensor) -> torch.dtype:
    """Return float32, or float64 if that is the input's dtype."""
    return torch.promote_types(x.dtype, torch.float32)
