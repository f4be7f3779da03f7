"""Every choice among ways to compute the same numbers, made once from the machine.

Private torch operators are named here and nowhere else, each with its plain fallback.
"""

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """What is switched on, and why: printed by `pellucid info`."""

    onednn: bool
    """fp32 products through oneDNN: torch sends them to MKL, which is slow on AMD."""
    bf16: bool
    """The CPU multiplies 16-bit numbers natively."""
    byte_dropout: bool
    """Dropout from random bytes: aten's `bernoulli_` draws one number at a time."""
    matmul_attention: int
    """In training, up to this many scores a head, two matmuls beat the CPU's flash kernel."""


@cache
def plan() -> Plan:
    """The choices for this machine."""
    vendor, flags = _cpu()
    return Plan(
        onednn="amd" in vendor and "avx512f" in flags and _has_onednn_linear(),
        bf16="avx512_bf16" in flags or "amx_bf16" in flags,
        byte_dropout=platform.machine() in ("x86_64", "AMD64"),
        matmul_attention=256 * 256,
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b, differentiable: (..., in) -> (..., out)."""
    if (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and plan().onednn
        and not torch.is_autocast_enabled("cpu")
        and x.numel() > 0
    ):
        return _OneDNNLinear.apply(x, weight, bias)  # type: ignore[return-value]
    return F.linear(x, weight, bias)


def dropout(x: Tensor, p: float) -> Tensor:
    """Each element zero with probability p, else divided by 1 - p."""
    if x.device.type == "cpu" and plan().byte_dropout:
        return _ByteDropout.apply(x, p)  # type: ignore[return-value]
    return F.dropout(x, p)


def prefers_matmul(q: Tensor, k: Tensor) -> bool:
    """Whether explicit attention of q (B, H, T, K) over k (B, H, S, K) is the faster one."""
    return (
        q.device.type == "cpu"
        and q.requires_grad
        and q.shape[2] * k.shape[2] <= plan().matmul_attention
    )


class _OneDNNLinear(torch.autograd.Function):
    """The three products of a linear layer in oneDNN."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        product = torch.ops.mkldnn._linear_pointwise
        rows = grad.reshape(-1, grad.shape[-1])  # (N, out)
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = product(rows, weight.t(), None, "none", [], "").view(x.shape)
        if ctx.needs_input_grad[1]:
            flat = x.reshape(-1, x.shape[-1])  # (N, in)
            grad_weight = product(rows.t(), flat.t(), None, "none", [], "")
        if ctx.has_bias:
            grad_bias = rows.sum(0)
        return grad_x, grad_weight, grad_bias


class _ByteDropout(torch.autograd.Function):
    """Dropout from one random byte an element, eight bytes a draw; p is rounded to 1/256."""

    @staticmethod
    def forward(ctx, x: Tensor, p: float) -> Tensor:
        n, cut = x.numel(), max(1, round(p * 256))
        draws = torch.empty((n + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = (draws.view(torch.uint8)[:n].view(x.shape) >= cut).to(x.dtype)
        keep.mul_(256 / (256 - cut))  # by the rounded p, so that the mean is exact
        ctx.save_for_backward(keep)
        return x * keep

    @staticmethod
    def backward(ctx, grad: Tensor):
        (keep,) = ctx.saved_tensors
        return grad * keep, None


def _has_onednn_linear() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _cpu() -> tuple[str, frozenset[str]]:
    """Vendor and instruction sets, as Linux tells them; empty where it is another system."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "", frozenset()
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].split("\n") if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return named.get("vendor_id", "").lower(), frozenset(named.get("flags", "").split())
