"""Private torch operators, each with its plain fallback; they are named here and nowhere else."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pellucid.nn.kernel_choice import KernelChoices, read_pinned_choices

PackedType = Literal["fp32", "bf16", "int8"]
LinearFunction = Callable[[Tensor], Tensor]
"""(..., in) -> (..., out)"""
TORCH_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.float32}
SMALL_PRODUCT = 700_000  # below this many multiplications oneDNN's 12 us per call do not pay
LARGE_WEIGHT = 1 << 18  # from this size on, reading a matrix takes longer than such a call
FEW_ROWS, READ_ROWS = 2, 4
"""oneDNN's product of 1 or 2 rows reads weights from memory at 0.7 to 0.8 of the speed at which
that of 4 rows does. Weights in the CPU's cache are read faster than 4 rows can be computed."""
TYPICAL_ROWS = 64  # a hint for oneDNN's choice of blocks; any number of rows works
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


def pack(
    weight: Tensor,
    bias: Tensor | None,
    dtype: PackedType,
    activation: str = "none",
    *,
    is_in_cache: bool = True,
) -> LinearFunction:
    """Return activation(x W^T + b) as a function for decoding, W stored in the kernel's own layout.

    weight (out, in), bias (out,). dtype: fp32 and bf16 are stored in oneDNN's blocks; int8 with a
    scale per row, and activations are quantised at each call. activation: "none" or "relu".
    is_in_cache: whether the whole model fits into the CPU's cache.
    """
    weight = weight.detach()
    bias = None if bias is None else bias.detach()
    if dtype == "int8":
        return _pack_int8(weight, bias, activation)
    return _pack_float(weight.to(TORCH_TYPES[dtype]), bias, activation, is_in_cache=is_in_cache)


def can_pack(dtype: PackedType) -> bool:
    """Return whether this machine has packed products of this dtype."""
    if dtype == "int8":
        return "x86" in torch.backends.quantized.supported_engines
    if not _has_onednn_linear():
        return False
    return dtype == "fp32" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


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
        and _has_onednn_linear()
    )


def _pack_float(
    weight: Tensor, bias: Tensor | None, activation: str, *, is_in_cache: bool
) -> LinearFunction:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, TYPICAL_ROWS)
    bias = None if bias is None else bias.to(weight.dtype)
    product = torch.ops.mkldnn._linear_pointwise
    if weight.numel() >= LARGE_WEIGHT and not is_in_cache:
        return _widen_few_rows(lambda x: product(x, packed, bias, activation, [], ""))
    if weight.dtype != torch.float32 or weight.numel() >= LARGE_WEIGHT:
        return lambda x: product(x, packed, bias, activation, [], "")
    width, activate = len(weight), torch.relu_ if activation == "relu" else None

    def compute(x: Tensor) -> Tensor:
        if x.numel() * width >= SMALL_PRODUCT:
            return product(x, packed, bias, activation, [], "")
        y = F.linear(x, weight, bias)
        return y if activate is None else activate(y)

    return compute


def _widen_few_rows(compute: LinearFunction) -> LinearFunction:
    """Return a function that computes few rows as `READ_ROWS`, by repeating them."""

    def widened(x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])  # (N, in)
        n = len(rows)
        if not 0 < n <= FEW_ROWS:
            return compute(x)
        return compute(torch.cat([rows] * (READ_ROWS // n)))[:n].view(*x.shape[:-1], -1)

    return widened


def _pack_int8(weight: Tensor, bias: Tensor | None, activation: str) -> LinearFunction:
    torch.backends.quantized.engine = "x86"
    scale = weight.abs().amax(1).clamp_(min=1e-8) / 127  # (out,), symmetric
    zero = torch.zeros(len(scale), dtype=torch.long)
    with warnings.catch_warnings():  # torch announces that these types will be removed
        warnings.simplefilter("ignore", UserWarning)
        rows = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(rows, bias)
    if activation == "relu":
        return lambda x: torch.ops.quantized.linear_relu_dynamic(x, packed)
    return lambda x: torch.ops.quantized.linear_dynamic(x, packed)


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


@cache
def _has_onednn_linear() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
