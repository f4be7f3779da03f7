"""GPT-Neo: the open counterpart of GPT-3 (Black et al. 2021), and the one of them with weights.

What is special: a GPT-3 whose scores are not divided by sqrt(d_head), and whose queries, keys and
values add no bias, so that a GPT-3 does not fit into its files. A layer is "global", or "local":
then it sees a band of latest tokens.
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
        fits = count == n_layers and count <= MAX_LAYERS
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
    """What is not in `FIELDS`; of bands of different widths, only the widest."""
    windows = [c.window(i) for i in range(c.n_decoder_layers)]
    kinds = ["local" if window else "global" for window in windows]
    return {
        "window_size": max(windows) or gpt3.BAND,
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
    read_special=read,
    write_special=write,
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
    roles=gpt2.GPT2.roles,
)
