"""Linear layers whose weights are stored for inference on the CPU, by private torch operators."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.nn.kernels import SMALL_PRODUCT, has_onednn_linear

PackedType = Literal["fp32", "bf16", "int8"]
LinearFunction = Callable[[Tensor], Tensor]
"""(..., in) -> (..., out)"""
TORCH_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.float32}
LARGE_WEIGHT = 1 << 18  # from this size on, reading a matrix takes longer than a call of oneDNN
FEW_ROWS, READ_ROWS = 2, 4
"""oneDNN's product of 1 or 2 rows reads weights from memory at 0.7 to 0.8 of the speed at which
that of 4 rows does. Weights in the CPU's cache are read faster than 4 rows can be computed."""
TYPICAL_ROWS = 64  # a hint for oneDNN's choice of blocks; any number of rows works
FBGEMM = "x86"  # the engine that torch calls so multiplies by fbgemm
MANY_ROWS, WIDE_OUTPUT = 32, 1 << 18
"""In int8, from so many rows and numbers of the output on, oneDNN is faster than fbgemm, where the
output is wider than the input: it quantises its input more slowly."""


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
        return FBGEMM in torch.backends.quantized.supported_engines
    if not has_onednn_linear():
        return False
    return dtype == "fp32" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


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
    n_out, n_in = weight.shape
    scale = weight.abs().amax(1).clamp_(min=1e-8) / 127  # (out,), symmetric
    zero = torch.zeros(n_out, dtype=torch.long)
    with warnings.catch_warnings():  # torch announces that these types will be removed
        warnings.simplefilter("ignore", UserWarning)
        rows = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
    packed = _prepack(rows, bias, FBGEMM)
    quantized = torch.ops.quantized
    product = quantized.linear_relu_dynamic if activation == "relu" else quantized.linear_dynamic
    if n_out <= n_in or "onednn" not in torch.backends.quantized.supported_engines:
        return lambda x: product(x, packed)
    least = n_in * max(MANY_ROWS, WIDE_OUTPUT // n_out)

    @cache
    def packed_for_many_rows() -> Any:  # a second copy, which batches of few rows do not need
        rows, bias = quantized.linear_unpack(packed)
        return _prepack(rows, bias, "onednn")

    return lambda x: product(x, packed if x.numel() < least else packed_for_many_rows())


def _prepack(rows: Tensor, bias: Tensor | None, engine: str) -> Any:
    """Return the weights in the layout of an engine, whose products then compute with them."""
    torch.backends.quantized.engine = engine
    return torch.ops.quantized.linear_prepack(rows, bias)
