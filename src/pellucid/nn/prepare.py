"""A decode-only copy of a model, its products packed for the machine at hand."""

import copy
from functools import cache
from typing import TypeVar, get_args

import torch
from torch import nn

from pellucid.errors import UsageError
from pellucid.nn import kernels
from pellucid.nn.attention import CrossAttention, SelfAttention
from pellucid.nn.embedding import Embedding
from pellucid.nn.feed_forward import ACTIVATIONS, FeedForward
from pellucid.nn.kernels import Packed, PackedType
from pellucid.nn.linear import Linear, joined

Model = TypeVar("Model", bound=nn.Module)
FUSED = {ACTIVATIONS["relu"]: "relu"}
"""Activations that a packed product applies on its way out."""


def prepare(model: Model, dtype: PackedType = "fp32") -> Model:
    """A copy of `model` that decodes faster and can be neither trained nor saved.

    On the CPU all weights of linear maps are packed, and q, k, v lie in one matrix; elsewhere the
    copy is only converted. int8 is of the CPU. Raises: UsageError where the machine has no such
    products.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    prepared = copy.deepcopy(model).eval().requires_grad_(False)
    if dtype == "int8" and not (on_cpu and kernels.can_pack(dtype)):
        raise UsageError("int8 products need a CPU of the x86 kind here. Use dtype fp32 or bf16.")
    if not on_cpu or not kernels.can_pack(dtype):
        return prepared.to(kernels.TORCH_TYPES[dtype])
    for module in list(prepared.modules()):
        if isinstance(module, SelfAttention):
            module.qkv = _joined(module, ("q", "k", "v"), dtype)
        elif isinstance(module, CrossAttention):
            module.kv = _joined(module, ("k", "v"), dtype)
        elif isinstance(module, Embedding):
            module.weight = nn.Parameter(module.weight * module.scale, requires_grad=False)
            module.scale = 1.0
        elif isinstance(module, FeedForward) and module.activation in FUSED and not module.gate:
            fused = FUSED[module.activation]
            module.up = Packed(module.up.weight, module.up.bias, dtype, fused)  # type: ignore[assignment]
            module.activation = _as_it_is
    _pack_linears(prepared, dtype)
    prepared.to(kernels.TORCH_TYPES[dtype])
    for module in prepared.modules():
        _call_directly(module)
    return prepared


def checked_type(dtype: str) -> PackedType:
    """The type, if models compute in it. Raises: UsageError."""
    for known in get_args(PackedType):
        if dtype == known:
            return known
    raise UsageError(
        f"dtype={dtype!r} is none that models compute in: use {', '.join(get_args(PackedType))}."
        " (fp16 ends at 65,504, which the feed-forward of some models passes.)"
    )


def _joined(attention: nn.Module, names: tuple[str, ...], dtype: PackedType) -> Packed:
    """Several maps of one input as one packed map, in place of the several."""
    linears = [getattr(attention, name) for name in names]
    for name in names:
        delattr(attention, name)
    return Packed(*joined(linears), dtype)


def _pack_linears(module: nn.Module, dtype: PackedType) -> None:
    for name, child in module.named_children():
        if isinstance(child, Linear):
            setattr(module, name, Packed(child.matrix(), child.bias, dtype))
        else:
            _pack_linears(child, dtype)


def _call_directly(module: nn.Module) -> None:
    """Let a call be its `forward` alone, and its parts plain attributes: no hook is looked for.

    A step of a small model calls some 60 modules; nn.Module takes 1.2 us for each, this 0.1.
    """
    module.__class__ = _direct(type(module))
    vars(module).update(module._parameters, **module._modules)


@cache
def _direct(kind: type[nn.Module]) -> type[nn.Module]:
    return type(kind.__name__, (kind,), {"__call__": kind.forward})


def _as_it_is(x: torch.Tensor) -> torch.Tensor:
    return x
