"""Export a model to CTranslate2, then compare the outputs of both.

The converter of CTranslate2 reads published classes only. This one fills its specification from our
modules, and names the settings that CTranslate2 does not support.
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
from pellucid.formats.ctranslate_check import check_outputs
from pellucid.nn.model import Transformer
from pellucid.text.tokenizer import Tokenizer

ACTIVATIONS = {
    "relu": "RELU",
    "gelu": "GELU",
    "gelu-tanh": "GELUTanh",
    "swish": "SWISH",
    "tanh": "Tanh",
}
"""Our activation names -> those of CTranslate2."""
UNSUPPORTED: Mapping[str, Callable[[ModelConfig], bool]] = {
    "d_embedding": lambda c: bool(c.d_embedding),
    "windows": lambda c: any(c.windows),
    "head_split": lambda c: c.head_split != "projection",
    "positions": lambda c: c.positions == "none",
    "n_segments": lambda c: bool(c.n_segments and c.n_decoder_layers),
}
"""Settings that CTranslate2 does not support, each with a test of the config."""


def to_ctranslate2(directory: Path, bundle: Bundle, start: int) -> list[str]:
    """Write a model for CTranslate2 with its tokenizer files; return the options for a call.

    start: the first token that the decoder reads. Encoder-only models are written without heads.
    Raises: UsageError if CTranslate2 is not installed or there is no tokenizer; ConfigError naming
    an unsupported setting; VerificationError if the outputs differ; DataError if the directory
    exists.
    """
    try:
        import ctranslate2
    except ImportError as error:
        raise UsageError("CTranslate2 is not here: pip install 'pellucid[export]'.") from error
    model = _check_supported(bundle)
    spec = build_spec(model, ctranslate2.specs)
    tokenizers, c = bundle.tokenizers, model.config
    source = _list_pieces(tokenizers.source, c.vocab_size)
    target = _list_pieces(tokenizers.target, c.target_vocab_size or c.vocab_size)
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
        check_outputs(temp, bundle, start, (source, target))
    return _list_options(bundle, target, c) if model.decoder is not None else []


def _check_supported(bundle: Bundle) -> Transformer:
    """Raises: ConfigError naming what CTranslate2 does not support."""
    model = bundle.model
    if not isinstance(model, Transformer) or type(model) is not Transformer:
        raise ConfigError(f"CTranslate2 has no form of a model of family {bundle.family!r}.")
    for name, is_unsupported in UNSUPPORTED.items():
        if is_unsupported(model.config):
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
        return of.TransformerEncoderModelSpec(encoder)
    if encoder is None:
        return of.TransformerDecoderModelSpec(decoder)
    return of.TransformerSpec(encoder, decoder)


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
    spec.weight = np.concatenate([_to_numpy(m.weight) for m in linears])
    if linears[0].bias is not None:
        spec.bias = np.concatenate([_to_numpy(m.bias) for m in linears])


def _fill_norm(spec: Any, norm: nn.Module) -> None:
    spec.gamma = _to_numpy(norm.weight)
    if isinstance(getattr(norm, "bias", None), Tensor):
        spec.beta = _to_numpy(norm.bias)


def _to_numpy(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


def _list_pieces(tokenizer: Tokenizer, size: int) -> list[str]:
    """Return the piece of each id, with placeholders for rows without a piece."""
    known = tokenizer.pieces_by_id
    return [known.get(i, f"<no piece {i}>") for i in range(size)]


def _list_options(bundle: Bundle, tokens: list[str], c: ModelConfig) -> list[str]:
    """Return the options with which a call of CTranslate2 searches as pellucid does."""
    roles = bundle.tokenizers.target.roles
    banned = {roles[role] for role in bundle.roles.banned if role in roles} - {roles.get("eos")}
    pieces = [tokens[i] for i in sorted({*banned, *bundle.banned})]
    forced = bundle.token_ids.get("forced_bos_token_id", roles.get(bundle.roles.forced_first))
    notes = _list_search_options(bundle)
    if pieces:
        notes.append(f"suppress_sequences={[[word] for word in pieces]}")
    if forced is not None:
        notes.append(f"target_prefix=[[{tokens[forced]!r}]] for each text")
    if c.positions.startswith("sinusoid"):  # a table in CTranslate2, computed here
        notes.append(f"texts of at most {c.max_length} tokens")
    return notes


def _list_search_options(bundle: Bundle) -> list[str]:
    """Return the search settings that differ from the defaults of CTranslate2."""
    d, both = bundle.decoding, bool(bundle.model_config.n_encoder_layers)
    length = "{}_decoding_length" if both else "{}_length"
    options = {
        "beam_size": (d.beam, 2 if both else 1),
        "length_penalty": (d.alpha, 1.0),
        "no_repeat_ngram_size": (d.no_repeat_ngram, 0),
        "repetition_penalty": (d.repetition_penalty, 1.0),
        length.format("min"): (d.min_length, 1 if both else 0),
        # 0 depends on the length of the source, which no option of CTranslate2 expresses.
        length.format("max"): (d.max_length, 0),
    }
    return [f"{name}={value}" for name, (value, default) in options.items() if value != default]
