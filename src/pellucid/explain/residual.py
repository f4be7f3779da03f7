"""What each part of a model adds to the score of an output: contributions that sum to the logit."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from pellucid.errors import UsageError
from pellucid.explain.flow import find_attention
from pellucid.explain.trace import Trace
from pellucid.nn.base import Model
from pellucid.nn.layer import PreNorm
from pellucid.nn.norms import LayerNorm, RMSNorm


class Contribution(NamedTuple):
    """What a part adds to a logit."""

    name: str
    """As in a trace, with `.head.N` for a head of an attention."""
    logit: float


def logit_contributions(
    trace: Trace, model: Model, position: int, output: int, head: str = "lm"
) -> list[Contribution]:
    """Split a logit into what the embedding, each head and each feed-forward add to it.

    The residual stream is a sum. Norms divide it by a number that is taken from the trace and held
    fixed; with that they are linear, so that the parts add up to the logit, rounding aside.
    Raises: UsageError if the head is not linear, or the model has no residual stream.
    """
    side = "encoder" if model.decoder is None else "decoder"
    stack = getattr(model, side)
    module: Any = model.get_submodule(f"heads.{head}")
    if not is_linear(model, head):
        raise UsageError(f"the head {head!r} is not linear, so its parts do not add up.")
    if not hasattr(stack, "layers") or f"{side}.layers.0.attention.added" not in trace.arrays:
        raise UsageError("this model or trace has no residual stream with its parts.")
    parts = {f"{side}.embedding": trace[f"{side}.embedding.output"][position].astype(np.float64)}
    for i, layer in enumerate(stack.layers):
        for name, sublayer in layer.named_children():
            path = f"{side}.layers.{i}.{name}"
            parts |= dict(_split_sublayer(trace, model, path, position))
            if not isinstance(sublayer, PreNorm):
                parts = _apply_norm(sublayer.norm, parts, f"{path}.norm")
    parts = _apply_norm(stack.norm, parts, f"{side}.norm")
    row = module.output.weight[output].detach().double().cpu().numpy() * module.scale
    contributions = [Contribution(name, float(row @ part)) for name, part in parts.items()]
    if module.output.bias is not None:
        contributions.append(
            Contribution(f"heads.{head}.bias", float(module.output.bias[output].detach()))
        )
    return contributions


def is_linear(model: Model, head: str) -> bool:
    """Return whether a head's logits are linear in the states that it reads."""
    module: Any = model.get_submodule(f"heads.{head}")
    others = (getattr(module, name, None) for name in ("transform", "norm"))
    return getattr(module, "output", None) is not None and not any(
        other is not None for other in others
    )


def _split_sublayer(
    trace: Trace, model: Model, path: str, position: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what a sublayer adds at a position (D,): an attention by its heads and bias."""
    if f"{path}.context" not in trace.arrays:
        yield path, trace[f"{path}.added"][position].astype(np.float64)
        return
    o = find_attention(model, path).o
    context = trace[f"{path}.context"][:, position].astype(np.float64)  # (H, K)
    weight = o.weight.detach().double().cpu().numpy()  # (D, H K)
    by_head = weight.reshape(len(weight), *context.shape)  # (D, H, K)
    for head, (vector, matrix) in enumerate(zip(context, by_head.swapaxes(0, 1), strict=True)):
        yield f"{path}.head.{head}", matrix @ vector
    if o.bias is not None:
        yield f"{path}.bias", o.bias.detach().double().cpu().numpy()


def _apply_norm(norm: nn.Module, parts: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the parts after a norm, whose divisor is that of their sum; its bias is a part."""
    if isinstance(norm, nn.Identity):
        return parts
    assert isinstance(norm, LayerNorm | RMSNorm)
    total = np.sum(list(parts.values()), 0)
    has_mean = isinstance(norm, LayerNorm)
    spread = total - total.mean() if has_mean else total
    gain = norm.weight.detach().double().cpu().numpy() / np.sqrt((spread**2).mean() + norm.eps)
    normed = {n: gain * (x - x.mean() if has_mean else x) for n, x in parts.items()}
    if isinstance(norm, LayerNorm):
        normed[f"{name}.bias"] = norm.bias.detach().double().cpu().numpy()
    return normed
