"""CTRL: a decoder whose first token tells the kind of text that follows (Keskar et al. 2019).

What is special: positions are sinusoids, all sines before all cosines, so its files hold none;
embeddings are multiplied by sqrt(d_model) as in the paper; the output adds a bias of its own to
the embedding that it shares. Those first tokens, the control codes, are plain words of its
vocabulary: a text must begin with one, and no token opens or ends it.
"""

from collections.abc import Mapping
from typing import Any

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families.family import TIED, Family, Field, HeadNames, Row

LARGE = ModelConfig(
    d_model=1280,
    n_encoder_layers=0,
    n_decoder_layers=48,
    n_heads=16,
    d_ff=8192,
    max_length=256,
    positions="sinusoid-halves",
    norm_place="pre",
    norm_eps=1e-6,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("n_positions", "max_length", 256),
    Field("n_embd", "d_model", 1280),
    Field("dff", "d_ff", 8192),
    Field("n_layer", "n_decoder_layers", 48),
    Field("n_head", "n_heads", 16),
    Field("resid_pdrop", "dropout", 0.1),
    TIED,
)


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`. Raises: ConfigError at another eps than their code has."""
    if c.norm_eps != LARGE.norm_eps:
        raise ConfigError(
            f"norm_eps={c.norm_eps}, but all code that runs a CTRL has {LARGE.norm_eps} in its"
            " layers. Set that, or save this model in pellucid's own layout."
        )
    return {"embd_pdrop": c.dropout}


def layers() -> tuple[Row, ...]:
    """A layer as CTRL names it."""
    layer, inner = "transformer.h.{}.", "decoder.layers.{}."
    attention = f"{layer}multi_head_attention."
    return (
        Row(f"{layer}layernorm1", f"{inner}attention.norm"),
        Row(f"{attention}Wq", f"{inner}attention.inner.q"),
        Row(f"{attention}Wk", f"{inner}attention.inner.k"),
        Row(f"{attention}Wv", f"{inner}attention.inner.v"),
        Row(f"{attention}dense", f"{inner}attention.inner.o"),
        Row(f"{layer}layernorm2", f"{inner}feed_forward.norm"),
        Row(f"{layer}ffn.0", f"{inner}feed_forward.inner.up"),
        Row(f"{layer}ffn.2", f"{inner}feed_forward.inner.down"),
    )


CTRL = Family(
    name="ctrl",
    vocabulary=246_534,
    objective="next word",
    preset=LARGE,
    presets={"large": LARGE},
    base="transformer.",
    fields=FIELDS,
    required={"layer_norm_epsilon": LARGE.norm_eps},  # theirs obeys it in the last norm alone
    extra=write,
    rows=(
        Row("transformer.w.weight", "decoder.embedding.weight"),
        *layers(),
        Row("transformer.layernorm", "decoder.norm"),
    ),
    heads={
        "CTRLLMHeadModel": (HeadNames("lm", HeadConfig(kind="lm"), (Row("lm_head", "output"),)),),
        "CTRLForSequenceClassification": (
            HeadNames(
                "classifier",
                HeadConfig(kind="sequence", outputs=2, bias=False, pool="last"),
                (Row("classifier", "output"),),
            ),
        ),
        "CTRLModel": (),
    },
    roles=Roles(start="", end="", banned=()),
)
