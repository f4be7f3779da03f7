"""Copies of models for inference, with linear layers packed for this CPU."""

import copy
from functools import partial
from typing import TypeVar, get_args

from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.nn import packed_linear
from pellucid.nn.attention import CrossAttention, SelfAttention
from pellucid.nn.embedding import Embedding
from pellucid.nn.feed_forward import ACTIVATIONS, FeedForward
from pellucid.nn.layer import PostNorm
from pellucid.nn.linear import Linear, concatenate
from pellucid.nn.norms import LayerNorm, RMSNorm
from pellucid.nn.packed_linear import LinearFunction, PackedType

Model = TypeVar("Model", bound=nn.Module)
FUSED = {ACTIVATIONS["relu"]: "relu"}
"""Activations that a packed linear layer computes too."""
CACHE_BYTES = 64 << 20
"""Weights of larger models are read from memory at each step."""


def pack_model(model: Model, dtype: PackedType = "fp32") -> Model:
    """Return a copy of `model` for fast inference. It cannot be trained or saved.

    On the CPU the weights of all linear layers are packed, and q, k and v are joined into one
    matrix. On other devices the copy is only converted to `dtype`. int8 is CPU-only.
    Raises: UsageError if this machine has no int8 kernels.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    packed = copy.deepcopy(model).eval().requires_grad_(False)
    if dtype == "int8" and not (on_cpu and packed_linear.can_pack(dtype)):
        raise UsageError("dtype int8 needs an x86 CPU. Use dtype fp32 or bf16.")
    if not on_cpu or not packed_linear.can_pack(dtype):
        return packed.to(packed_linear.TORCH_TYPES[dtype])
    n_bytes = sum(p.numel() for p in model.parameters()) * packed_linear.TORCH_TYPES[dtype].itemsize
    pack = partial(packed_linear.pack, dtype=dtype, is_in_cache=n_bytes <= CACHE_BYTES)
    for module in list(packed.modules()):
        if isinstance(module, SelfAttention):
            module.qkv = pack(*_join(module, ("q", "k", "v")))
        elif isinstance(module, CrossAttention):
            module.kv = pack(*_join(module, ("k", "v")))
        elif isinstance(module, Embedding):
            module.weight = nn.Parameter(module.weight * module.scale, requires_grad=False)
            module.scale = 1.0
        elif isinstance(module, FeedForward) and module.activation in FUSED and not module.gate:
            fused = pack(module.up.weight, module.up.bias, activation=FUSED[module.activation])
            _replace(module, "up", fused)
            module.activation = _identity
    for module in list(packed.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Linear):
                _replace(module, name, pack(child.matrix(), child.bias))
    packed.to(packed_linear.TORCH_TYPES[dtype])
    for module in packed.modules():
        _shorten_lookups(module)
    return packed


def check_dtype(dtype: str) -> PackedType:
    """Return `dtype`. Raises: UsageError if it is not a compute dtype."""
    for known in get_args(PackedType):
        if dtype == known:
            return known
    raise UsageError(
        f"dtype={dtype!r} is not a compute dtype. Use {', '.join(get_args(PackedType))}."
        " (fp16 is limited to 65,504, which the feed-forward of some models exceeds.)"
    )


def _join(attention: nn.Module, names: tuple[str, ...]) -> tuple[Tensor, Tensor | None]:
    """Remove several linear layers that share an input; return their weights and biases as one."""
    linears = [getattr(attention, name) for name in names]
    for name in names:
        delattr(attention, name)
    return concatenate(linears)


def _replace(module: nn.Module, name: str, function: LinearFunction) -> None:
    """Replace a child module by a function."""
    delattr(module, name)
    setattr(module, name, function)


def _shorten_lookups(module: nn.Module) -> None:
    """Store parameters and children as plain attributes too, many of them as their `forward`.

    nn.Module looks up parameters and children only after the normal lookup fails, and checks for
    hooks at each call. Each costs about 1 us, about 100 times in a step of 600 us.
    """
    children = module._modules
    forwards = {n: m.forward for n, m in children.items() if m is not None and _is_only_called(m)}
    vars(module).update(module._parameters, **children | forwards)


def _is_only_called(module: nn.Module) -> bool:
    """Return whether other modules call this one and never read its attributes."""
    if isinstance(module, PostNorm):
        return _is_only_called(module.get_submodule("inner"))
    return isinstance(module, (LayerNorm, RMSNorm, SelfAttention, FeedForward))


def _identity(x: Tensor) -> Tensor:
    return x
