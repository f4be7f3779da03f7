"""Export a model to CTranslate2, then compare the outputs of both.

The converter of CTranslate2 reads published classes only. This one fills its specification from our
modules, and names the settings that CTranslate2 does not support.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from pellucid.config.decoding import DecodingConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError, UsageError
from pellucid.files import publish
from pellucid.formats.bundle import Bundle
from pellucid.formats.ctranslate_check import check_outputs
from pellucid.formats.ctranslate_spec import build_spec
from pellucid.nn.model import Transformer
from pellucid.text.tokenizer import Tokenizer

UNSUPPORTED: Mapping[str, Callable[[ModelConfig], bool]] = {
    "d_embedding": lambda c: bool(c.d_embedding),
    "character_ngrams": lambda c: bool(c.character_ngrams),
    # Its windows cut the cache between calls, so that a long prompt is read without one.
    "windows": lambda c: any(0 < window < (c.max_positions or math.inf) for window in c.windows),
    "positions": lambda c: c.positions == "none",
    "n_segments": lambda c: bool(c.n_segments and c.n_decoder_layers),
}
"""Settings that CTranslate2 does not support, each with a test of the config."""


def to_ctranslate2(directory: Path, bundle: Bundle, start: int) -> list[str]:
    """Write a model for CTranslate2 with its tokenizer files; return the options for a call.

    start: the first token that the decoder reads. An encoder is written without heads, except
    the transform of one that reads the first token.
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
    """Return the search settings that differ from the defaults of CTranslate2.

    Settings without an option there become notes.
    """
    d, both = bundle.decoding, bool(bundle.model_config.n_encoder_layers)
    length = "{}_decoding_length" if both else "{}_length"
    options = {
        **_method_options(d, both),
        "num_hypotheses": (d.n_best, 1),
        "no_repeat_ngram_size": (d.no_repeat_ngram, 0),
        "repetition_penalty": (d.repetition_penalty, 1.0),
        length.format("min"): (d.min_length, 1 if both else 0),
        # 0 depends on the length of the source, which no option of CTranslate2 expresses.
        length.format("max"): (d.max_length, 0),
    }
    differing = [
        f"{name}={value}" for name, (value, default) in options.items() if value != default
    ]
    return [*differing, *_list_inexpressible(d)]


def _method_options(d: DecodingConfig, both: bool) -> dict[str, tuple[float, float]]:
    """Return the options of a search method, each with its default in CTranslate2.

    both: whether the model has an encoder and a decoder.
    """
    default_beam = 2 if both else 1
    if d.method == "beam":
        alpha = 1.0 if _divides_otherwise(d) else d.alpha
        return {"beam_size": (d.beam, default_beam), "length_penalty": (alpha, 1.0)}
    return {
        "beam_size": (1, default_beam),
        "sampling_temperature": (d.temperature, 1.0),
        "sampling_topk": (d.top_k, 1),  # 0 means all tokens there too
        "sampling_topp": (d.top_p, 1.0),
    }


def _divides_otherwise(d: DecodingConfig) -> bool:
    """Return whether scores are divided by a length that CTranslate2 does not compute."""
    return d.length_norm == "gnmt" and bool(d.alpha)


def _list_inexpressible(d: DecodingConfig) -> list[str]:
    """Return notes on search settings that no option of CTranslate2 expresses."""
    lacks, notes = "which CTranslate2 lacks", list[str]()
    if d.method == "beam" and d.beam > 1:
        if _divides_otherwise(d):
            notes.append(
                f"length_norm=gnmt with alpha={d.alpha}, {lacks}: it divides scores by"
                " |Y|^length_penalty"
            )
        if d.stop != "first_k":
            notes.append(f"stop={d.stop}, {lacks}: it stops when beam_size texts are finished")
        if d.groups > 1:
            notes.append(f"groups={d.groups}, {lacks}: it searches a single beam")
    if d.method == "mbr":
        notes.append(f"method=mbr, {lacks}: choose among {d.samples} samples by {d.utility}")
    cuts = {"min_p": 0.0, "typical_p": 1.0}
    for name, neutral in cuts.items() if d.method != "beam" else ():
        if getattr(d, name) != neutral:
            notes.append(f"{name}={getattr(d, name)}, {lacks}")
    return notes
