"""The logit lens: what the head would predict after each layer (nostalgebraist 2020)."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.explain.prediction import Prediction, Text, predict
from pellucid.explain.rows import Rows
from pellucid.explain.trace import Trace
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import find_token_id
from pellucid.inference.logits import choose_head
from pellucid.nn.base import Model
from pellucid.nn.heads import pool_states
from pellucid.nn.padding import MAX_LOGITS


def logit_lens(
    bundle: Bundle, trace: Trace, head: str | None = None, top: int = 10
) -> list[Prediction]:
    """Return the prediction of a head on the states of each layer, the embedding first.

    States pass the stack's final norm, if it has one, then the head. Unadjusted: no layer but the
    last was trained for this head.
    Raises: UsageError if the trace lacks the states, or the head predicts nothing.
    """
    states = (trace[name] for name in state_names(bundle.model, trace.arrays))
    return predict_states(bundle, trace, states, head, top)


@torch.inference_mode()
def predict_states(
    bundle: Bundle, texts: Trace | Rows, states: Iterable[np.ndarray], head: str | None, top: int
) -> list[Prediction]:
    """Return the prediction of a head on each of several states (T, D); see `logit_lens`.

    texts: what the model read. Of the logits, at most `MAX_LOGITS` exist at once, or one position.
    Raises: UsageError if the head predicts nothing, or the model has no layers.
    """
    name = choose_head(bundle, head)
    if not bundle.model.head_configs[name].predicts:
        raise UsageError(f"the head {name!r} predicts nothing. Name another head.")
    stack = bundle.model.encoder if bundle.model.decoder is None else bundle.model.decoder
    if not hasattr(stack, "layers"):
        raise UsageError("this model has no layers to look into.")
    final_norm = getattr(stack, "norm", nn.Identity())
    read = texts.source if bundle.model.decoder is None else texts.target
    text = Text() if read is None else Text([token.id for token in read.tokens[1:]], read.words)
    weight = next(bundle.model.parameters())  # whose device and dtype the states had
    predictions = []
    for each in states:
        normed = final_norm(torch.from_numpy(each)[None].to(weight))  # (1, T, D)
        if bundle.model.head_configs[name].kind == "lm":
            predictions.append(_predict_in_parts(bundle, name, normed, top, text))
        else:
            outputs = _apply_head(bundle, name, normed, texts)
            predictions.append(predict(bundle, name, outputs, top, text))
    return predictions


def state_names(model: Model, arrays: Collection[str]) -> list[str]:
    """Return the names of the states of the last stack: its embedding, then after each layer.

    arrays: the names of a trace's arrays. Empty if the stack has no residual stream, as that of the
    recurrent model.
    """
    side = "encoder" if model.decoder is None else "decoder"
    layers = getattr(getattr(model, side), "layers", ())
    if not any(name.startswith(f"{side}.") and name.endswith(".added") for name in arrays):
        return []
    names = [_last_output(arrays, f"{side}.layers.{i}") for i in range(len(layers))]
    return [f"{side}.embedding.output", *names]


def _last_output(arrays: Collection[str], layer: str) -> str:
    """Return the name of a layer's output."""
    feed_forward = f"{layer}.feed_forward.output"
    return feed_forward if feed_forward in arrays else f"{layer}.output"


def _predict_in_parts(
    bundle: Bundle, name: str, states: Tensor, top: int, text: Text
) -> Prediction:
    """Return the prediction of a language model on states (1, T, D), some positions at a time."""
    c = bundle.model_config
    size = max(1, MAX_LOGITS // (c.target_vocab_size or c.vocab_size))
    parts = []
    for first in range(0, states.shape[1], size):
        logits = bundle.model.heads[name](states[0, first : first + size]).float()  # (size, V)
        following = Text(text.next_ids[first : first + size])
        parts.append(predict(bundle, name, logits, top, following))
    positions = chain.from_iterable(part.positions for part in parts)
    return replace(parts[0], positions=tuple(positions))


def _apply_head(bundle: Bundle, name: str, states: Tensor, texts: Trace | Rows) -> Tensor:
    """Return the outputs of a head for the states (1, T, D) of one text, without the batch."""
    config = bundle.model.head_configs[name]
    if config.kind == "sequence":
        text = texts.source or texts.target
        is_end = None
        end = find_token_id(bundle, "eos")
        if text is not None and end is not None:
            ends = [[token.id == end for token in text.tokens]]
            is_end = torch.tensor(ends, device=states.device)  # (1, T)
        states = pool_states(states, None, is_end, config.pool)
    return bundle.model.heads[name](states)[0].float()
