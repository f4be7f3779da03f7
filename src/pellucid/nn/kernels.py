"""Private torch operators that training uses, each with its plain fallback.

Such operators are named here and in `packed_linear.py`, and nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pellucid.nn.kernel_choice import KernelChoices, read_pinned_choices

SMALL_PRODUCT = 700_000  # below this many multiplications oneDNN's 12 us per call do not pay
MATMUL_SCORES = 256 * 256
"""In training, up to this many scores per head, two matmuls may beat the CPU's fused attention."""

_active: KernelChoices | None = None


def active_choices() -> KernelChoices:
    """Return the kernels in use: those of `use_kernels`, else pinned ones, else torch's default."""
    global _active
    if _active is None:
        _active = read_pinned_choices() or KernelChoices()
    return _active


@contextmanager
def use_kernels(choices: KernelChoices) -> Iterator[None]:
    """Use these kernels within the block, in all threads of this process."""
    global _active
    before, _active = _active, choices
    try:
        yield
    finally:
        _active = before


def decode_on_one_thread() -> None:
    """Limit torch to one thread, because a decoding step's operators are too small to split.

    Two threads wait for each other at each operator, and much longer on a machine with other work.
    Only our command-line processes call this; they parallelise over sentences.
    """
    torch.set_num_threads(1)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b, differentiable: (..., in) -> (..., out).

    Without gradients oneDNN computes all but small products. It is chosen for training by the speed
    of the output and of both gradients; in the output alone it is ahead on CPUs where it is not in
    all three.
    """
    is_chosen = active_choices().onednn or not torch.is_grad_enabled()
    if is_chosen and not torch.is_autocast_enabled("cpu") and _suits_onednn(x, weight):
        return onednn_linear(x, weight, bias)
    return F.linear(x, weight, bias)


def product(a: Tensor, b: Tensor) -> Tensor:
    """a b^T by the kernel of training, not differentiable: (n, k), (m, k) -> (n, m)."""
    if active_choices().onednn and _suits_onednn(a, b):
        return _multiply(a, b)
    return F.linear(a, b)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b by oneDNN, differentiable: (..., in) -> (..., out), in fp32 on the CPU."""
    return _OneDNNLinear.apply(x, weight, bias)  # type: ignore[return-value]


def dropout(x: Tensor, p: float) -> Tensor:
    """Zero each element with probability p and divide the rest by 1 - p.

    On the CPU p is rounded to a multiple of 1/256, unless that would be 0 or 1.
    """
    if x.device.type == "cpu" and 0 < round(p * 256) < 256 and not torch.compiler.is_compiling():
        return _ByteDropout.apply(x, p)  # type: ignore[return-value]
    return F.dropout(x, p)


def prefers_matmul(q: Tensor, k: Tensor, is_plain: bool) -> bool:
    """Return whether explicit attention of q (B, H, T, K) over k (B, H, S, K) is faster.

    is_plain: without dropout and without a score bias that is trained. The CPU's fused kernel is
    for such attention only, and its backward pass is many times slower in bf16. For other attention
    torch stores all scores too, so their number does not matter.
    """
    return (
        q.requires_grad  # first, because decoding comes here at each step
        and not torch.compiler.is_compiling()
        and q.device.type == "cpu"
        and (not is_plain or q.shape[2] * k.shape[2] <= MATMUL_SCORES)
        and not (is_plain and q.dtype == torch.float32 and active_choices().fused_attention)
    )


@cache
def has_onednn_linear() -> bool:
    """Return whether this build of torch has linear layers of oneDNN."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b by oneDNN, not differentiable: (..., in) -> (..., out)."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    """Return whether oneDNN has this product, and its cost per call does not matter."""
    return (
        not torch.compiler.is_compiling()  # the compiler optimises plain operators only
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.numel() * len(weight) >= SMALL_PRODUCT
        and has_onednn_linear()
    )


class _OneDNNLinear(torch.autograd.Function):
    """A linear layer whose output and gradients are computed by oneDNN."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _multiply(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[override]
        x, weight = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])  # (N, out)
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = _multiply(rows, weight.t()).view(x.shape)
        if ctx.needs_input_grad[1]:
            flat = x.reshape(-1, x.shape[-1])  # (N, in)
            grad_weight = _multiply(rows.t(), flat.t())
        if ctx.has_bias:
            grad_bias = rows.sum(0)
        return grad_x, grad_weight, grad_bias


class _ByteDropout(torch.autograd.Function):
    """Dropout from one random byte per element, eight bytes per draw; p is rounded to 1/256."""

    @staticmethod
    def forward(ctx, x: Tensor, p: float) -> Tensor:
        n, cut = x.numel(), round(p * 256)
        draws = torch.empty((n + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = (draws.view(torch.uint8)[:n].view(x.shape) >= cut).to(x.dtype)
        keep.mul_(256 / (256 - cut))  # with the rounded p, so that the mean is exact
        ctx.save_for_backward(keep)
        return x * keep

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[override]
        (keep,) = ctx.saved_tensors
        return grad * keep, None
