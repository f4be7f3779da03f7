"""Models for CTranslate2: its specification filled from our modules, opened there and compared.

Its own converter reads published classes alone; this one reads what our blocks are made of, and
refuses by name what CTranslate2 has no form for.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.files import publish
from pellucid.formats.bundle import Bundle
from pellucid.formats.ctranslate_check import check_same
from pellucid.nn.model import Transformer
from pellucid.nn.positions import sinusoids
from pellucid.text.tokenizer import Tokenizer

ACTIVATIONS = {
    "relu": "RELU",
    "gelu": "GELU",
    "gelu-tanh": "GELUTanh",
    "swish": "SWISH",
    "tanh": "Tanh",
}
"""The activations of CTranslate2."""
REFUSED: Mapping[str, Callable[[ModelConfig], bool]] = {
    "d_embedding": lambda c: bool(c.d_embedding),
    "windows": lambda c: any(c.windows),
    "head_split": lambda c: c.head_split != "projection",
    "positions": lambda c: c.positions == "none",
    "n_segments": lambda c: bool(c.n_segments and c.n_decoder_layers),
}
"""Settings that CTranslate2 has no form for, and when."""


def to_ctranslate2(directory: Path, parts: Bundle, start: int) -> list[str]:
    """Publish a model for CTranslate2, with its tokenizer's own files; notes on how to call it.

    start: the first token that the decoder reads. Encoder-only models are written without heads.
    Raises: UsageError if the extra or the tokenizer is not there; ConfigError naming what has no
    form there; VerificationError if the result gives other numbers; DataError at a taken place.
    """
    try:
        import ctranslate2
    except ImportError as error:
        raise UsageError("CTranslate2 is not here: pip install 'pellucid[export]'.") from error
    model = _check_form(parts)
    spec = build_spec(model, ctranslate2.specs)
    tokenizers, c = parts.tokenizers, model.config
    source = _tokens(tokenizers.source, c.vocab_size)
    target = _tokens(tokenizers.target, c.target_vocab_size or c.vocab_size)
    if model.encoder is not None and model.decoder is not None:
        spec.register_source_vocabulary(source)
        spec.register_target_vocabulary(target)
        spec.config.decoder_start_token = target[start]
    else:
        spec.register_vocabulary(target)
    for role in ("bos", "eos", "unk"):
        if role in tokenizers.target.tokens:
            setattr(spec.config, f"{role}_token", tokenizers.target.tokens[role])
    spec.config.layer_norm_epsilon = c.norm_eps
    with publish(directory) as temp:
        spec.validate()
        spec.optimize()
        spec.save(str(temp))
        tokenizers.save(temp)
        check_same(temp, parts, start, (source, target))
    return _notes(parts, target, c) if model.decoder is not None else []


def _check_form(parts: Bundle) -> Transformer:
    """Raises: ConfigError naming what CTranslate2 has no form for."""
    model = parts.model
    if not isinstance(model, Transformer) or type(model) is not Transformer:
        raise ConfigError(f"CTranslate2 has no form of a model of family {parts.family!r}.")
    for name, is_refused in REFUSED.items():
        if is_refused(model.config):
            raise ConfigError(
                f"{name}={getattr(model.config, name)!r} has no form in CTranslate2, so this model"
                " cannot be written for it."
            )
    head = model.head_configs.get("lm")
    if model.decoder is not None and (head is None or head.activation):
        raise ConfigError(
            "a decoder without a plain lm head has no form in CTranslate2. Heads of this model:"
            f" {', '.join(model.head_configs) or 'none'}."
        )
    return model


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
        _stack(encoder, model.encoder, c)
    if model.decoder is not None:
        decoder = of.TransformerDecoderSpec(
            c.n_decoder_layers, with_encoder_attention=encoder is not None, **common
        )
        _stack(decoder, model.decoder, c)
        head: Any = model.heads["lm"]
        _linear(decoder.projection, head.output)
        if head.scale != 1.0:
            decoder.scale_outputs = head.scale
    if decoder is None:
        return of.TransformerEncoderModelSpec(encoder)
    if encoder is None:
        return of.TransformerDecoderModelSpec(decoder)
    return of.TransformerSpec(encoder, decoder)


def _stack(spec: Any, stack: Any, c: ModelConfig) -> None:
    embedding = stack.embedding
    spec.scale_embeddings = embedding.scale
    tables = spec.embeddings if isinstance(spec.embeddings, list) else [spec.embeddings]
    tables[0].weight = _array(embedding.weight)
    if embedding.segments is not None:
        tables[1].weight = _array(embedding.segments)
    if c.positions.startswith("sinusoid"):
        halves = c.positions == "sinusoid-halves"
        spec.position_encodings.encodings = sinusoids(c.max_length, c.d_model, halves).numpy()
    elif c.positions != "buckets":
        spec.position_encodings.encodings = _array(embedding.positions.weight[c.first_position :])
    if c.embedding_norm:
        _norm(spec.layernorm_embedding, embedding.norm)
    if c.norm_place == "pre":
        _norm(spec.layer_norm, stack.norm)
    for their_layer, layer in zip(spec.layer, stack.layers, strict=True):
        _attention(their_layer.self_attention, layer.attention, ("qkv", "o"), c)
        if stack.distances is not None:
            spec_attention = their_layer.self_attention
            spec_attention.relative_attention_bias = _array(stack.distances.weight)
            spec_attention.relative_attention_max_distance = np.int32(c.max_distance)
        if hasattr(layer, "cross"):
            _attention(their_layer.attention, layer.cross, ("q", "kv", "o"), c)
        ffn, inner = their_layer.ffn, layer.feed_forward.inner
        _norm(ffn.layer_norm, layer.feed_forward.norm)
        _linear(ffn.linear_0, inner.up if inner.gate is None else inner.gate)
        if inner.gate is not None:
            _linear(ffn.linear_0_noact, inner.up)
        _linear(ffn.linear_1, inner.down)


def _attention(spec: Any, block: Any, groups: tuple[str, ...], c: ModelConfig) -> None:
    """groups: our linear layers that are concatenated in each linear layer of CTranslate2."""
    _norm(spec.layer_norm, block.norm)
    if c.attention_scale == "none":
        spec.queries_scale = 1.0
    for linear, group in zip(spec.linear, groups, strict=True):
        _linear(linear, *(getattr(block.inner, name) for name in group))


def _linear(spec: Any, *maps: Any) -> None:
    spec.weight = np.concatenate([_array(m.weight) for m in maps])
    if maps[0].bias is not None:
        spec.bias = np.concatenate([_array(m.bias) for m in maps])


def _norm(spec: Any, norm: nn.Module) -> None:
    spec.gamma = _array(norm.weight)
    if isinstance(getattr(norm, "bias", None), Tensor):
        spec.beta = _array(norm.bias)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


def _tokens(tokenizer: Tokenizer, size: int) -> list[str]:
    """Return the piece of each id, with placeholders for rows without a piece."""
    known = tokenizer.pieces_by_id
    return [known.get(i, f"<no piece {i}>") for i in range(size)]


def _notes(parts: Bundle, tokens: list[str], c: ModelConfig) -> list[str]:
    """The options that a call of CTranslate2 needs to search as here."""
    roles = parts.tokenizers.target.roles
    banned = {roles[role] for role in parts.roles.banned if role in roles} - {roles.get("eos")}
    pieces = [tokens[i] for i in sorted({*banned, *parts.banned})]
    forced = parts.token_ids.get("forced_bos_token_id", roles.get(parts.roles.forced_first))
    notes = _search(parts)
    if pieces:
        notes.append(f"suppress_sequences={[[word] for word in pieces]}")
    if forced is not None:
        notes.append(f"target_prefix=[[{tokens[forced]!r}]] for each text")
    if c.positions.startswith("sinusoid"):  # a table in CTranslate2, computed here
        notes.append(f"texts of at most {c.max_length} tokens")
    return notes


def _search(parts: Bundle) -> list[str]:
    """Our search settings where CTranslate2's defaults give other texts."""
    d, both = parts.decoding, bool(parts.model_config.n_encoder_layers)
    length = "{}_decoding_length" if both else "{}_length"
    options = {
        "beam_size": (d.beam, 2 if both else 1),
        "length_penalty": (d.alpha, 1.0),
        "no_repeat_ngram_size": (d.no_repeat_ngram, 0),
        "repetition_penalty": (d.repetition_penalty, 1.0),
        length.format("min"): (d.min_length, 1 if both else 0),
        length.format("max"): (
            d.max_length,
            0,
        ),  # 0 grows with the source, for which it has no number
    }
    return [f"{name}={value}" for name, (value, default) in options.items() if value != default]
