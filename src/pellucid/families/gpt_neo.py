"""GPT-Neo: an open counterpart of GPT-3, with published weights (Black et al. 2021).

Differences to GPT-3: attention scores are not divided by sqrt(d_head), and queries, keys and values
have no bias, so a GPT-3 cannot be saved in this format. A layer is "global" or "local"; a local
layer attends to a window of the latest tokens.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import MAX_LAYERS, ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import gpt2, gpt3
from pellucid.families.common_heads import LM, SPAN, TAGGER
from pellucid.families.family import Family
from pellucid.families.fields import ACTIVATIONS, TIED, Field
from pellucid.families.renames import Rename, attention_renames, feed_forward_renames

BASE = replace(
    gpt3.SMALL, attention_scale="none", bias="no-qkv", dropout=0.0, attention_dropout=0.0
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("max_position_embeddings", "max_length", 2048),
    Field("hidden_size", "d_model", 2048),
    Field("num_layers", "n_decoder_layers", 24),
    Field("num_heads", "n_heads", 16),
    Field("activation_function", "activation", "gelu_new", ACTIVATIONS),
    Field("layer_norm_epsilon", "norm_eps", 1e-5),
    Field("resid_dropout", "dropout", 0.0),
    Field("attention_dropout", "attention_dropout", 0.0),
    TIED,
)
ALTERNATING = [[["global", "local"], 12]]


def read_windows(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with the window of each layer and the feed-forward width.

    Raises: ConfigError if the window size or the kind of a layer is invalid.
    """
    window = config.get("window_size", gpt3.WINDOW)
    if not isinstance(window, int) or window < 1:
        raise ConfigError(f"window_size={str(window)[:80]} must be at least 1.")
    kinds = read_layer_kinds(config, settings["n_decoder_layers"])
    return {
        **settings,
        "d_ff": config.get("intermediate_size") or 4 * settings["d_model"],
        "windows": [window if kind == "local" else 0 for kind in kinds],
    }


def read_layer_kinds(config: Mapping[str, Any], n_layers: int) -> list[str]:
    """Return each layer's kind from [[kinds, repetitions], ...]. Raises: ConfigError if invalid."""
    listed = config.get("attention_layers")
    runs = [[listed, 1]] if listed else config.get("attention_types") or ALTERNATING
    try:  # counted before the list is built: a file may request a billion repetitions
        count = sum(len(kinds) * max(times, 0) for kinds, times in runs)
        fits = count == n_layers and count <= MAX_LAYERS
        layers = [kind for kinds, times in runs for kind in kinds * times] if fits else []
    except (TypeError, ValueError):
        layers = []
    if not layers or any(kind not in ("global", "local") for kind in layers):
        raise ConfigError(
            f"attention_types={str(runs)[:80]} does not name which of {str(n_layers)[:80]}"
            ' layers are global and local. Write runs such as [[["global", "local"], 12]].'
        )
    return layers


def write_windows(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the settings that are not in `FIELDS`. The largest window is the window size."""
    windows = [c.window(i) for i in range(c.n_decoder_layers)]
    kinds = ["local" if window else "global" for window in windows]
    return {
        "window_size": max(windows) or gpt3.WINDOW,
        "attention_types": [[kinds, 1]],
        "attention_layers": kinds,
        "intermediate_size": c.d_ff,
        "embed_dropout": c.dropout,
    }


LAYER, INNER = "transformer.h.{}", "decoder.layers.{}"
MAPS = [f"attn.attention.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")]

GPT_NEO = Family(
    name="gpt_neo",
    vocab_size=50_257,
    objective="next word",
    preset=BASE,
    presets={
        "125m": BASE,
        "1.3b": replace(BASE, d_model=2048, n_decoder_layers=24, n_heads=16, d_ff=8192),
        "2.7b": replace(BASE, d_model=2560, n_decoder_layers=32, n_heads=20, d_ff=10240),
    },
    base_prefix="transformer.",
    fields=FIELDS,
    read_special=read_windows,
    write_special=write_windows,
    renames=(
        Rename("transformer.wte.weight", "decoder.embedding.weight"),
        Rename("transformer.wpe.weight", "decoder.embedding.positions.weight"),
        *attention_renames(LAYER, f"{INNER}.attention", *MAPS, norm="ln_1"),
        *feed_forward_renames(LAYER, f"{INNER}.feed_forward", "mlp.c_fc", "mlp.c_proj", "ln_2"),
        Rename("transformer.ln_f", "decoder.norm"),
    ),
    heads={
        "GPTNeoForCausalLM": (LM,),
        "GPTNeoForSequenceClassification": (gpt2.CLASSIFIER,),
        "GPTNeoForTokenClassification": (TAGGER,),
        "GPTNeoForQuestionAnswering": (SPAN,),
        "GPTNeoModel": (),
    },
    ignored_tensors=(
        "transformer.h.{}.attn.attention.bias",
        "transformer.h.{}.attn.attention.masked_bias",
    ),
    special_tokens=gpt2.GPT2.special_tokens,
    roles=gpt2.GPT2.roles,
)
