"""A copy of a model for decoding only, its linear maps packed for this machine."""

import copy
from typing import TypeVar, get_args

from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.nn import kernels
from pellucid.nn.attention import CrossAttention, SelfAttention
from pellucid.nn.embedding import Embedding
from pellucid.nn.feed_forward import ACTIVATIONS, FeedForward
from pellucid.nn.kernels import Map, PackedType, pack
from pellucid.nn.linear import Linear, join
from pellucid.nn.norms import LayerNorm, RMSNorm

Model = TypeVar("Model", bound=nn.Module)
FUSED = {ACTIVATIONS["relu"]: "relu"}
"""Activations that a packed product applies itself."""


def prepare(model: Model, dtype: PackedType = "fp32") -> Model:
    """Return a copy of `model` that decodes faster and can be neither trained nor saved.

    On the CPU the weights of all linear maps are packed, and q, k and v are one matrix; elsewhere
    the copy is only converted. dtype: int8 is CPU-only.
    Raises: UsageError if this machine has no int8 products.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    prepared = copy.deepcopy(model).eval().requires_grad_(False)
    if dtype == "int8" and not (on_cpu and kernels.can_pack(dtype)):
        raise UsageError("int8 products need an x86 CPU. Use dtype fp32 or bf16.")
    if not on_cpu or not kernels.can_pack(dtype):
        return prepared.to(kernels.TORCH_TYPES[dtype])
    for module in list(prepared.modules()):
        if isinstance(module, SelfAttention):
            module.qkv = _pack_joined(module, ("q", "k", "v"), dtype)
        elif isinstance(module, CrossAttention):
            module.kv = _pack_joined(module, ("k", "v"), dtype)
        elif isinstance(module, Embedding):
            module.weight = nn.Parameter(module.weight * module.scale, requires_grad=False)
            module.scale = 1.0
        elif isinstance(module, FeedForward) and module.activation in FUSED and not module.gate:
            fused = pack(module.up.weight, module.up.bias, dtype, FUSED[module.activation])
            _replace(module, "up", fused)
            module.activation = _identity
    for module in list(prepared.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Linear):
                _replace(module, name, pack(child.matrix(), child.bias, dtype))
    prepared.to(kernels.TORCH_TYPES[dtype])
    for module in prepared.modules():
        _shorten_lookups(module)
    return prepared


def check_dtype(dtype: str) -> PackedType:
    """Return the dtype, if models compute in it. Raises: UsageError."""
    for known in get_args(PackedType):
        if dtype == known:
            return known
    raise UsageError(
        f"dtype={dtype!r} is not one that models compute in: use {', '.join(get_args(PackedType))}."
        " (fp16 ends at 65,504, which the feed-forward of some models exceeds.)"
    )


def _pack_joined(attention: nn.Module, names: tuple[str, ...], dtype: PackedType) -> Map:
    """Pack several maps of one input as one, and remove the several."""
    linears = [getattr(attention, name) for name in names]
    for name in names:
        delattr(attention, name)
    return pack(*join(linears), dtype)


def _replace(module: nn.Module, name: str, function: Map) -> None:
    """Put a plain function in a child module's place."""
    delattr(module, name)
    setattr(module, name, function)


def _shorten_lookups(module: nn.Module) -> None:
    """Store parameters and children as plain attributes too, and norms as their `forward`.

    nn.Module finds its parts after a failed lookup, and looks for hooks at each call: about 1 us
    each, some 100 times in a step that takes 600 us.
    """
    children = module._modules
    norms = {n: m.forward for n, m in children.items() if isinstance(m, (LayerNorm, RMSNorm))}
    vars(module).update(module._parameters, **children | norms)


def _identity(x: Tensor) -> Tensor:
    return x
