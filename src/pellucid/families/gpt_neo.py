"""GPT-Neo: the open counterpart of GPT-3 (Black et al. 2021), and the one of them with weights.

What is special: a GPT-3 whose scores are not divided by sqrt(d_head), and whose queries, keys and
values add no bias, so that a GPT-3 does not fit into its files. A layer is "global", or "local":
then it sees a band of latest tokens.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import MOST_LAYERS, ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import gpt2, gpt3
from pellucid.families.family import ACTIVATIONS, SPAN, TIED, Family, Field, Row

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


def read(theirs: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Raises: ConfigError where the bands of the layers make no sense."""
    band = theirs.get("window_size", gpt3.BAND)
    if not isinstance(band, int) or band < 1:
        raise ConfigError(f"window_size={str(band)[:80]} must be at least 1.")
    kinds = kinds_of(theirs, found["n_decoder_layers"])
    return {
        **found,
        "d_ff": theirs.get("intermediate_size") or 4 * found["d_model"],
        "windows": [band if kind == "local" else 0 for kind in kinds],
    }


def kinds_of(theirs: Mapping[str, Any], n_layers: int) -> list[str]:
    """Each layer's kind, of runs [[kinds in turn], times]. Raises: ConfigError at any other."""
    each = theirs.get("attention_layers")
    runs = [[each, 1]] if each else theirs.get("attention_types") or ALTERNATING
    try:  # counted before it is written out: a file may say "a billion times"
        count = sum(len(kinds) * max(times, 0) for kinds, times in runs)
        fits = count == n_layers and count <= MOST_LAYERS
        found = [kind for kinds, times in runs for kind in kinds * times] if fits else []
    except (TypeError, ValueError):
        found = []
    if not found or any(kind not in ("global", "local") for kind in found):
        raise ConfigError(
            f"attention_types={str(runs)[:80]} does not say of {str(n_layers)[:80]} layers which"
            ' are global and which local. Write runs such as [[["global", "local"], 12]].'
        )
    return found


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`. Raises: ConfigError at a model that their config cannot tell."""
    windows = [c.window(i) for i in range(c.n_decoder_layers)]
    bands = {window for window in windows if window}
    if len(bands) > 1 or (c.attention_scale, c.bias) != ("none", "no-qkv"):
        raise ConfigError(
            f"attention_scale={c.attention_scale}, bias={c.bias}, bands of {sorted(bands)}: a"
            " GPT-Neo has none, no-qkv and one width. Save this one in pellucid's own layout."
        )
    kinds = ["local" if window else "global" for window in windows]
    return {
        "window_size": max(bands, default=gpt3.BAND),
        "attention_types": [[kinds, 1]],
        "attention_layers": kinds,
        "intermediate_size": c.d_ff,
        "embed_dropout": c.dropout,
    }


def layers() -> tuple[Row, ...]:
    """A layer as GPT-Neo names it."""
    layer, inner = "transformer.h.{}.", "decoder.layers.{}."
    attention = f"{layer}attn.attention."
    return (
        Row(f"{layer}ln_1", f"{inner}attention.norm"),
        Row(f"{attention}q_proj", f"{inner}attention.inner.q"),
        Row(f"{attention}k_proj", f"{inner}attention.inner.k"),
        Row(f"{attention}v_proj", f"{inner}attention.inner.v"),
        Row(f"{attention}out_proj", f"{inner}attention.inner.o"),
        Row(f"{layer}ln_2", f"{inner}feed_forward.norm"),
        Row(f"{layer}mlp.c_fc", f"{inner}feed_forward.inner.up"),
        Row(f"{layer}mlp.c_proj", f"{inner}feed_forward.inner.down"),
    )


GPT_NEO = Family(
    name="gpt_neo",
    vocabulary=50_257,
    objective="next word",
    preset=BASE,
    presets={
        "125m": BASE,
        "1.3b": replace(BASE, d_model=2048, n_decoder_layers=24, n_heads=16, d_ff=8192),
        "2.7b": replace(BASE, d_model=2560, n_decoder_layers=32, n_heads=20, d_ff=10240),
    },
    base="transformer.",
    fields=FIELDS,
    adjust=read,
    extra=write,
    rows=(
        Row("transformer.wte.weight", "decoder.embedding.weight"),
        Row("transformer.wpe.weight", "decoder.embedding.positions.weight"),
        *layers(),
        Row("transformer.ln_f", "decoder.norm"),
    ),
    heads={
        "GPTNeoForCausalLM": (gpt2.LM,),
        "GPTNeoForSequenceClassification": (gpt2.CLASSIFIER,),
        "GPTNeoForTokenClassification": (gpt2.TAGGER,),
        "GPTNeoForQuestionAnswering": (SPAN,),
        "GPTNeoModel": (),
    },
    unused=(
        "transformer.h.{}.attn.attention.bias",
        "transformer.h.{}.attn.attention.masked_bias",
    ),
    roles=gpt2.GPT2.roles,
)
