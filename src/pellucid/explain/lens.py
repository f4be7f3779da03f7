"""The logit lens: what the head would predict after each layer (nostalgebraist 2020)."""

import torch
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.explain.prediction import Prediction, Text, predict
from pellucid.explain.trace import Trace
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import find_token_id
from pellucid.inference.logits import choose_head
from pellucid.nn.base import Model
from pellucid.nn.heads import pool_states


@torch.inference_mode()
def logit_lens(
    bundle: Bundle, trace: Trace, head: str | None = None, top: int = 10
) -> list[Prediction]:
    """Return the prediction of a head on the states of each layer, the embedding first.

    States pass the stack's final norm, if it has one, then the head. Unadjusted: no layer but the
    last was trained for this head.
    Raises: UsageError if the trace lacks the states, or the head predicts nothing.
    """
    name = choose_head(bundle, head)
    if not bundle.model.head_configs[name].predicts:
        raise UsageError(f"the head {name!r} predicts nothing. Name another head.")
    side = "encoder" if bundle.model.decoder is None else "decoder"
    stack = getattr(bundle.model, side)
    if not hasattr(stack, "layers"):
        raise UsageError("this model has no layers to look into.")
    read = trace.source if side == "encoder" else trace.target
    text = None if read is None else Text([token.id for token in read.tokens[1:]], read.words)
    final_norm = getattr(stack, "norm", nn.Identity())
    predictions = []
    for each in state_names(bundle.model, trace):
        states = final_norm(torch.from_numpy(trace[each])[None])  # (1, T, D)
        outputs = _apply_head(bundle, name, states, trace)
        predictions.append(predict(bundle, name, outputs, top, text))
    return predictions


def state_names(model: Model, trace: Trace) -> list[str]:
    """Return the names of the states of the last stack: its embedding, then after each layer.

    Empty if it has no residual stream, as that of the recurrent model.
    """
    side = "encoder" if model.decoder is None else "decoder"
    layers = getattr(getattr(model, side), "layers", ())
    if not any(name.startswith(f"{side}.") and name.endswith(".added") for name in trace.arrays):
        return []
    names = [_last_output(trace, f"{side}.layers.{i}") for i in range(len(layers))]
    return [f"{side}.embedding.output", *names]


def _last_output(trace: Trace, layer: str) -> str:
    """Return the name of a layer's output."""
    feed_forward = f"{layer}.feed_forward.output"
    return feed_forward if feed_forward in trace.arrays else f"{layer}.output"


def _apply_head(bundle: Bundle, name: str, states: Tensor, trace: Trace) -> Tensor:
    """Return the outputs of a head for the states (1, T, D) of one text, without the batch."""
    config = bundle.model.head_configs[name]
    if config.kind == "sequence":
        text = trace.source or trace.target
        is_end = None
        end = find_token_id(bundle, "eos")
        if text is not None and end is not None:
            is_end = torch.tensor([[token.id == end for token in text.tokens]])
        states = pool_states(states, None, is_end, config.pool)
    return bundle.model.heads[name](states)[0].float()
