"""How much of the input is in each position of a model's output, by its attention."""

from typing import NamedTuple

import numpy as np

from pellucid.errors import UsageError
from pellucid.explain.names import attention_sides
from pellucid.explain.trace import Trace
from pellucid.nn.attention import Attention
from pellucid.nn.base import Model


class Rollout(NamedTuple):
    """Shares of the input tokens in each output position; both together sum to 1 in each row."""

    source: np.ndarray | None
    """(T, S) of the encoder's tokens; None for a decoder alone."""
    target: np.ndarray | None
    """(T, T) of the decoder's own tokens; None for an encoder alone."""


def attention_rollout(trace: Trace) -> Rollout:
    """Follow the attention of all layers back to the input (Abnar and Zuidema 2020, section 3).

    Each attention sublayer passes on half of its input unchanged, for the residual connection, and
    half as the mean of its heads attends. An interpretation: values and feed-forwards do not count.
    What a Transformer-XL reads in its memory is no token's share: its rows sum to less than 1.
    Raises: UsageError if the trace lacks attention weights.
    """
    encoder = decoder_source = decoder_target = None
    for path in trace.attentions:
        weights = trace[f"{path}.weights"].astype(np.float64).mean(0)  # (T, S)
        if path.startswith("encoder"):
            encoder = _pass(weights, np.eye(len(weights)) if encoder is None else encoder)
            continue
        if decoder_target is None:
            decoder_target = np.eye(len(weights))
        if attention_sides(path)[1] == "source":
            if decoder_source is None:
                decoder_source = np.zeros_like(weights)
            memory = np.eye(weights.shape[1]) if encoder is None else encoder
            decoder_target = 0.5 * decoder_target
            decoder_source = 0.5 * decoder_source + 0.5 * weights @ memory
            continue
        weights = weights[:, -len(weights) :]  # without a memory
        decoder_target = _pass(weights, decoder_target)
        if decoder_source is not None:
            decoder_source = _pass(weights, decoder_source)
    return Rollout(encoder if decoder_target is None else decoder_source, decoder_target)


def value_norms(trace: Trace, model: Model, path: str) -> np.ndarray:
    """Return the length of what each query gets from each key: ||weight * value * W_O||, (H, T, S).

    A key with a large weight and a short value adds little (Kobayashi et al. 2020, eq. 4).
    Raises: UsageError as `find_attention`.
    """
    module = find_attention(model, path)
    values = trace[f"{path}.values"].astype(np.float64)  # (H, S, K)
    output = module.o.weight.detach().double().cpu().numpy()  # (D, H K)
    by_head = output.reshape(len(output), len(values), -1)  # (D, H, K)
    mapped = np.einsum("hsk,dhk->hsd", values, by_head)
    return trace[f"{path}.weights"] * np.linalg.norm(mapped, axis=-1)[:, None]


def find_attention(model: Model, path: str) -> Attention:
    """Return the attention of a path of a trace. Raises: UsageError if it is without heads."""
    module = model.get_submodule(path)
    inner = getattr(module, "inner", module)
    if not isinstance(inner, Attention):
        raise UsageError(f"{path} is no attention with heads, whose values are mapped by a matrix.")
    return inner


def _pass(weights: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the shares after a sublayer: half of them pass the residual connection."""
    return 0.5 * shares + 0.5 * weights @ shares
