"""The specification of a model that CTranslate2 reads, filled from our modules."""

from typing import Any

import numpy as np
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.model import Transformer

ACTIVATIONS = {
    "relu": "RELU",
    "gelu": "GELU",
    "gelu-tanh": "GELUTanh",
    "swish": "SWISH",
    "tanh": "Tanh",
}
"""Our activation names -> those of CTranslate2."""


def build_spec(model: Transformer, specs: Any) -> Any:
    """Return CTranslate2's specification of a model, its weights as arrays.

    specs: the module `ctranslate2.specs`.
    """
    c, of = model.config, specs.transformer_spec
    common: dict[str, Any] = {
        "num_heads": c.n_heads,
        "pre_norm": c.norm_place == "pre",
        "activation": getattr(specs.common_spec.Activation, ACTIVATIONS[c.activation]),
        "layernorm_embedding": c.embedding_norm,
        "relative_attention_bias": c.positions == "buckets",
        "ffn_glu": c.gated,
        "rms_norm": c.norm == "rms",
        "head_dim": c.head_width if c.head_width * c.n_heads != c.d_model else None,
    }
    encoder = decoder = None
    if model.encoder is not None:
        encoder = of.TransformerEncoderSpec(
            c.n_encoder_layers,
            num_source_embeddings=2 if c.n_segments else 1,
            embeddings_merge=specs.common_spec.EmbeddingsMerge.ADD,
            **common,
        )
        _fill_stack(encoder, model.encoder, c)
    if model.decoder is not None:
        decoder = of.TransformerDecoderSpec(
            c.n_decoder_layers, with_encoder_attention=encoder is not None, **common
        )
        _fill_stack(decoder, model.decoder, c)
        head: Any = model.heads["lm"]
        _fill_linear(decoder.projection, head.output)
        if head.scale != 1.0:
            decoder.scale_outputs = head.scale
    if decoder is None:
        return _build_encoder(model, encoder, specs)
    if encoder is None:
        return of.TransformerDecoderModelSpec(decoder)
    return of.TransformerSpec(encoder, decoder)


def find_pooler(model: Transformer) -> str | None:
    """Return the name of the head whose transform CTranslate2 computes as its pooling layer."""
    for name, head in model.head_configs.items():
        if head.kind == "sequence" and head.pool == "first" and head.activation and not head.norm:
            return name
    return None


def _build_encoder(model: Transformer, encoder: Any, specs: Any) -> Any:
    """Return the specification of an encoder, with the transform of a head that reads it."""
    pooler = find_pooler(model)
    if pooler is None:
        return specs.transformer_spec.TransformerEncoderModelSpec(encoder)
    name = ACTIVATIONS[model.head_configs[pooler].activation]
    activation = getattr(specs.common_spec.Activation, name)
    spec = specs.transformer_spec.TransformerEncoderModelSpec(
        encoder, pooling_layer=True, pooling_activation=activation
    )
    _fill_linear(spec.pooler_dense, model.heads[pooler].transform)
    return spec


def _fill_stack(spec: Any, stack: Any, c: ModelConfig) -> None:
    embedding = stack.embedding
    spec.scale_embeddings = embedding.scale
    tables = spec.embeddings if isinstance(spec.embeddings, list) else [spec.embeddings]
    tables[0].weight = _to_numpy(embedding.weight)
    if embedding.segments is not None:
        tables[1].weight = _to_numpy(embedding.segments)
    if c.positions.startswith("sinusoid"):
        spec.position_encodings.encodings = embedding.positions.compute(c.max_length).numpy()
    elif c.positions != "buckets":
        spec.position_encodings.encodings = _to_numpy(
            embedding.positions.weight[c.first_position :]
        )
    if c.embedding_norm:
        _fill_norm(spec.layernorm_embedding, embedding.norm)
    if c.norm_place == "pre":
        _fill_norm(spec.layer_norm, stack.norm)
    for layer_spec, layer in zip(spec.layer, stack.layers, strict=True):
        _fill_attention(layer_spec.self_attention, layer.attention, ("qkv", "o"), c)
        if stack.distances is not None:
            spec_attention = layer_spec.self_attention
            spec_attention.relative_attention_bias = _to_numpy(stack.distances.weight)
            spec_attention.relative_attention_max_distance = np.int32(c.max_distance)
        if hasattr(layer, "cross"):
            _fill_attention(layer_spec.attention, layer.cross, ("q", "kv", "o"), c)
        ffn, inner = layer_spec.ffn, layer.feed_forward.inner
        _fill_norm(ffn.layer_norm, layer.feed_forward.norm)
        _fill_linear(ffn.linear_0, inner.up if inner.gate is None else inner.gate)
        if inner.gate is not None:
            _fill_linear(ffn.linear_0_noact, inner.up)
        _fill_linear(ffn.linear_1, inner.down)


def _fill_attention(spec: Any, block: Any, groups: tuple[str, ...], c: ModelConfig) -> None:
    """Fill an attention block.

    groups: names of our linear layers that CTranslate2 concatenates, one string per layer of it.
    """
    _fill_norm(spec.layer_norm, block.norm)
    if c.attention_scale == "none":
        spec.queries_scale = 1.0
    for linear, group in zip(spec.linear, groups, strict=True):
        _fill_linear(linear, *(getattr(block.inner, name) for name in group))


def _fill_linear(spec: Any, *linears: Any) -> None:
    spec.weight = np.concatenate([_to_numpy(m.matrix()) for m in linears])
    if linears[0].bias is not None:
        spec.bias = np.concatenate([_to_numpy(m.bias) for m in linears])


def _fill_norm(spec: Any, norm: nn.Module) -> None:
    spec.gamma = _to_numpy(norm.weight)
    if isinstance(getattr(norm, "bias", None), Tensor):
        spec.beta = _to_numpy(norm.bias)


def _to_numpy(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()
