"""The Transformer in NumPy float64, head by head, written from the papers' formulas alone.

It shares no line and no structure with the package: only the names of its weights. Authority of
the tests that use it: Vaswani et al. 2017 for the model, Xiong et al. 2020 for pre-norm.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pellucid.config.model import ModelConfig

Array = NDArray[np.float64]
Weights = Mapping[str, Array]


def weights_of(module: nn.Module) -> Weights:
    """Every weight by name, in float64."""
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def softmax(scores: Array, allowed: NDArray[np.bool_]) -> Array:
    """Over the last axis, of the allowed ones; zeros where nothing is allowed."""
    weights = np.zeros_like(scores)
    for place in np.ndindex(scores.shape[:-1]):
        chosen = allowed[place]
        if chosen.any():
            powers = np.exp(scores[place][chosen] - scores[place][chosen].max())
            weights[place][chosen] = powers / powers.sum()
    return weights


def scaled_dot_product(q: Array, k: Array, v: Array, allowed: NDArray[np.bool_]) -> Array:
    """One head: q (T, K), k and v (S, K), allowed (T, S) -> (T, K). Source: eq. 1."""
    return softmax(q @ k.T / math.sqrt(q.shape[1]), allowed) @ v


def multi_head(
    c: ModelConfig, w: Weights, x: Array, memory: Array, allowed: NDArray[np.bool_]
) -> Array:
    """x (B, T, D) over memory (B, S, D), allowed (B, T, S) -> (B, T, D). Source: section 3.2.2."""
    width = c.d_model // c.n_heads
    out = np.empty_like(x)
    for b in range(len(x)):
        heads = []
        for h in range(c.n_heads):
            rows = slice(h * width, (h + 1) * width)
            seen = rows if c.head_split == "slice" else slice(None)
            q = x[b][:, seen] @ w["q.weight"][rows].T + w["q.bias"][rows]
            k = memory[b][:, seen] @ w["k.weight"][rows].T + w["k.bias"][rows]
            v = memory[b][:, seen] @ w["v.weight"][rows].T + w["v.bias"][rows]
            heads.append(scaled_dot_product(q, k, v, allowed[b]))
        out[b] = np.concatenate(heads, 1) @ w["o.weight"].T + w["o.bias"]
    return out


def activation(name: str, x: Array) -> Array:
    """Sources: gelu, Hendrycks and Gimpel 2016; swish, Ramachandran et al. 2017."""
    if name == "relu":
        return np.where(x > 0, x, 0.0)
    if name == "tanh":
        return np.sinh(x) / np.cosh(x)
    if name == "swish":
        return x / (1 + np.exp(-x))
    if name == "gelu-tanh":
        return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def feed_forward(c: ModelConfig, w: Weights, x: Array) -> Array:
    """(B, T, D) -> (B, T, D). Source: eq. 2."""
    hidden = activation(c.activation, x @ w["up.weight"].T + w["up.bias"])
    return hidden @ w["down.weight"].T + w["down.bias"]


def layer_norm(c: ModelConfig, w: Weights, x: Array) -> Array:
    """Source: Ba et al. 2016, eq. 4."""
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + c.norm_eps) * w["weight"] + w["bias"]


def sinusoid(position: int, column: int, d_model: int, halves: bool) -> float:
    """One number of the table. Source: section 3.5."""
    if halves:
        pair, sine = column % (d_model // 2), column < d_model // 2
    else:
        pair, sine = column // 2, column % 2 == 0
    angle = position / 10_000 ** (2 * pair / d_model)
    return math.sin(angle) if sine else math.cos(angle)


def places(c: ModelConfig, w: Weights, n: int) -> Array:
    """(n, D), what is added to a text's embeddings."""
    if c.positions == "none":
        return np.zeros((n, c.d_model))
    if c.positions == "learned":
        return w["positions.weight"][:n]
    halves = c.positions == "sinusoid-halves"
    rows = [[sinusoid(p, i, c.d_model, halves) for i in range(c.d_model)] for p in range(n)]
    return np.array(rows)


def transformer(
    c: ModelConfig, w: Weights, source: NDArray, keep: NDArray[np.bool_], target: NDArray
) -> Array:
    """Logits (B, T, V) of an encoder-decoder. keep (B, S): which source tokens are real."""
    n = target.shape[1]
    seen = np.broadcast_to(keep[:, None, :], (len(keep), source.shape[1], source.shape[1]))
    memory = stack(c, part(w, "encoder"), source, seen)
    causal = np.broadcast_to(np.tril(np.ones((n, n), bool)), (len(target), n, n))
    across = memory, np.broadcast_to(keep[:, None, :], (len(keep), n, source.shape[1]))
    return stack(c, part(w, "decoder"), target, causal, across) @ w["heads.lm.output.weight"].T


def stack(
    c: ModelConfig,
    w: Weights,
    ids: NDArray,
    allowed: NDArray[np.bool_],
    across: tuple[Array, NDArray[np.bool_]] | None = None,
) -> Array:
    """ids (B, T), allowed (B, T, T), `across` the memory and where it may be seen: (B, T, D)."""
    scale = math.sqrt(c.d_model) if c.scale_embeddings else 1.0
    embedding = part(w, "embedding")
    x = embedding["weight"][ids] * scale + places(c, embedding, ids.shape[1])
    for i in range(1 + max(int(name.split(".")[1]) for name in w if name.startswith("layers."))):
        layer = part(w, f"layers.{i}")
        x = sublayer(c, part(layer, "attention"), x, lambda w, y: multi_head(c, w, y, y, allowed))
        if across is not None:
            memory, seen = across
            cross = part(layer, "cross")
            x = sublayer(c, cross, x, lambda w, y: multi_head(c, w, y, memory, seen))  # noqa: B023
        x = sublayer(c, part(layer, "feed_forward"), x, lambda w, y: feed_forward(c, w, y))
    return layer_norm(c, part(w, "norm"), x) if c.norm_place == "pre" else x


def sublayer(c: ModelConfig, w: Weights, x: Array, inner) -> Array:
    """Sources: Vaswani et al. 2017, section 5.4 (post); Xiong et al. 2020, table 1 (pre)."""
    if c.norm_place == "post":
        return layer_norm(c, part(w, "norm"), x + inner(part(w, "inner"), x))
    return x + inner(part(w, "inner"), layer_norm(c, part(w, "norm"), x))


def part(w: Weights, path: str) -> Weights:
    """The weights below a path."""
    return {name[len(path) + 1 :]: a for name, a in w.items() if name.startswith(path + ".")}
