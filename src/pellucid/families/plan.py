"""What a model will weigh and cost, worked out on paper: nothing is built."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pellucid.config.head import LANGUAGE_MODEL, HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.nn.weights import Kind


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A model's numbers, by its config alone."""

    parameters: int
    """Each shared one once."""
    bytes: Mapping[Kind, int]
    """Of all weights, as a file of that type holds them; without the file's header."""
    products: int
    """Weights that a token is multiplied by: a shared layer each time, a tied output too; no
    embedding, and no head that reads a text's one state."""
    width: int
    """Of all heads of a layer together."""
    windows: tuple[int, ...]
    """Of each attention that a token takes part in; 0 sets no bound."""
    products_a_key: int = 2
    """Of vectors as wide as all heads: with the key, and of its weight with its value."""

    def flops(self, context: int) -> int:
        """Additions and multiplications for one token that sees `context` keys, forward.

        Of an encoder-decoder: for one token on each side. Training takes three times as many.
        Norms, activations and biases are left out. The tokens of a causal text see half of it in
        the mean.
        """
        keys = sum(min(context, window or context) for window in self.windows)
        return 2 * (self.products + self.products_a_key * self.width * keys)


class Weight(NamedTuple):
    """One tensor, or as many of its shape as the model has."""

    shape: tuple[int, ...]
    stored: int = 1
    """How many there are."""
    used: int = 0
    """How often a token is multiplied by it."""


def plan(c: ModelConfig, heads: Mapping[str, HeadConfig] | None = None) -> Plan:
    """The numbers of `build(c, heads=heads)`. Raises: ConfigError if the vocabulary is unknown."""
    if not c.vocab_size:
        raise ConfigError("vocab_size is 0: it comes from the tokenizer. Set it before planning.")
    if heads is None:
        heads = {"lm": LANGUAGE_MODEL} if c.n_decoder_layers else {}
    encoder, decoder = c.n_encoder_layers, c.n_decoder_layers
    weights = [*_embeddings(c), *_stack(c, encoder, False), *_stack(c, decoder, encoder > 0)]
    for head in heads.values():
        weights += _head(c, head)
    windows = [c.window(i) for layers in (encoder, decoder) for i in range(layers)]
    cross = decoder if encoder else 0
    return summed(weights, c.n_heads * c.head_width, (*windows, *[0] * cross))


def summed(
    weights: Sequence[Weight], width: int, windows: tuple[int, ...], products_a_key: int = 2
) -> Plan:
    """The numbers of a model that has these weights; the rest as in `Plan`."""
    parameters = sum(math.prod(w.shape) * w.stored for w in weights)
    matrices = [w for w in weights if len(w.shape) == 2]
    entries = sum(math.prod(w.shape) * w.stored for w in matrices)
    rows = sum(w.shape[0] * w.stored for w in matrices)
    return Plan(
        parameters=parameters,
        bytes={
            "fp32": 4 * parameters,
            "fp16": 2 * parameters,
            "bf16": 2 * parameters,
            # a byte for each entry, a float32 scale for each row; the rest in fp16
            "int8": entries + 4 * rows + 2 * (parameters - entries),
        },
        products=sum(math.prod(w.shape) * w.used for w in weights),
        width=width,
        windows=windows,
        products_a_key=products_a_key,
    )


def _embeddings(c: ModelConfig) -> Iterator[Weight]:
    sides = [c.vocab_size] if c.n_encoder_layers else []
    if c.n_decoder_layers:
        sides.append(c.target_vocab_size or c.vocab_size)
    for size in sides[:1] if c.tie_embeddings in ("all", "inputs") else sides:
        yield Weight((size, c.embedding_width))
    for _ in sides:
        if c.positions.startswith("learned"):
            yield Weight((c.first_position + c.max_length, c.embedding_width))
        if c.n_segments:
            yield Weight((c.n_segments, c.embedding_width))
        if c.embedding_norm:
            yield from _norm(c, c.embedding_width)
        if c.d_embedding:
            yield from _linear(c.d_embedding, c.d_model)


def _stack(c: ModelConfig, layers: int, crossing: bool) -> Iterator[Weight]:
    if not layers:
        return
    stored = c.layer_groups or layers
    attention = [*_attention(c), *_norm(c, c.d_model)]
    each = attention * 2 if crossing else attention
    for _ in range(2 if c.gated else 1):
        each += _linear(c.d_model, c.d_ff, c.bias != "none")
    each += _linear(c.d_ff, c.d_model, c.bias != "none")
    each += _norm(c, c.d_model)
    for weight in each:
        yield Weight(weight.shape, stored, weight.used * layers)
    if c.norm_place == "pre":
        yield from _norm(c, c.d_model)
    if c.positions == "buckets":
        yield Weight((c.n_buckets, c.n_heads))


def _attention(c: ModelConfig) -> Iterator[Weight]:
    width = c.n_heads * c.head_width
    for _ in range(3):
        read = c.head_width if c.head_split == "slice" else c.d_model
        yield from _linear(read, width, c.bias == "all")
    yield from _linear(width, c.d_model, c.bias != "none")


def _head(c: ModelConfig, h: HeadConfig) -> Iterator[Weight]:
    is_lm, used = h.kind == "lm", h.kind != "sequence"
    outputs = (c.target_vocab_size or c.vocab_size) if is_lm else h.outputs
    width = c.embedding_width if is_lm else c.d_model
    if h.activation:
        yield from _linear(c.d_model, width, used=used)
    if h.norm:
        yield from _norm(c, width)
    if outputs:
        tied = is_lm and c.tie_embeddings in ("all", "decoder")
        yield Weight((outputs, width), stored=0 if tied else 1, used=int(used))
        if h.bias:
            yield Weight((outputs,))
    if h.crf:
        yield Weight((outputs, outputs))
        yield Weight((outputs,), stored=2)


def _linear(read: int, written: int, bias: bool = True, used: bool = True) -> Iterator[Weight]:
    yield Weight((written, read), used=int(used))
    if bias:
        yield Weight((written,))


def _norm(c: ModelConfig, width: int) -> Iterator[Weight]:
    for _ in range(2 if c.norm == "layer" else 1):
        yield Weight((width,))
