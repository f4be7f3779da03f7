"""T5: every task as text to text, pretrained to fill in dropped spans (Raffel et al. 2020).

What is special: positions are told by a bias on the scores, by bucketed distance, one table for
all layers of a stack and none between the stacks; norms take no mean and nothing adds a bias;
scores are not divided by sqrt(d_head), which the initialisation makes up for. Version 1.1 gates its
feed-forward, does not tie the output, and so does not scale states before it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families.family import Family, Field, HeadNames, Row

SMALL = ModelConfig(
    d_model=512,
    d_head=64,
    d_ff=2048,
    positions="buckets",
    norm="rms",
    norm_place="pre",
    norm_eps=1e-6,
    attention_scale="none",
    bias="none",
    scale_embeddings=False,
    attention_dropout=0.1,
    activation_dropout=0.1,
)
BASE = replace(SMALL, d_model=768, d_ff=3072, n_heads=12, n_encoder_layers=12, n_decoder_layers=12)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("d_model", "d_model", 512),
    Field("d_kv", "d_head", 64),
    Field("d_ff", "d_ff", 2048),
    Field("num_layers", "n_encoder_layers", 6),
    Field("num_heads", "n_heads", 8),
    Field("relative_attention_num_buckets", "n_buckets", 32),
    Field("relative_attention_max_distance", "max_distance", 128),
    Field("layer_norm_epsilon", "norm_eps", 1e-6),
    Field("dropout_rate", "dropout", 0.1),
)
# Their name of the feed-forward's activation, ours, and whether it gates.
FEED_FORWARD = {
    "relu": ("relu", False),
    "gelu": ("gelu", False),
    "gated-gelu": ("gelu-tanh", True),  # not the exact one that their name suggests
    "gated-silu": ("swish", True),
}


def read(theirs: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Raises: ConfigError at a feed-forward that is not known here."""
    kind = theirs.get("feed_forward_proj", "relu")
    if kind not in FEED_FORWARD:
        known = ", ".join(FEED_FORWARD)
        raise ConfigError(f"feed_forward_proj={kind!r} is not supported here. Known: {known}.")
    activation, gated = FEED_FORWARD[kind]
    return {
        **found,
        "n_decoder_layers": theirs.get("num_decoder_layers") or found["n_encoder_layers"],
        "activation": activation,
        "gated": gated,
        "attention_dropout": found["dropout"],
        "activation_dropout": found["dropout"],
    }


def scaled(theirs: Mapping[str, Any], head: HeadConfig) -> HeadConfig:
    """A tied output is the embedding, whose vectors are sqrt(d_model) times as long as its own."""
    if head.kind != "lm":
        return head
    tied = theirs.get("tie_word_embeddings", True) is not False
    scale = theirs.get("scale_decoder_outputs", tied)
    return replace(head, scale=theirs["d_model"] ** -0.5) if scale else head


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`."""
    kind = next(k for k, v in FEED_FORWARD.items() if v == (c.activation, c.gated))
    scale = any(head.scale != 1.0 for head in heads.values())
    return {
        "feed_forward_proj": kind,
        "num_decoder_layers": c.n_decoder_layers,
        "scale_decoder_outputs": scale,
        "tie_word_embeddings": scale,
        "is_encoder_decoder": True,
    }


def stack(side: str, feed_forward: int) -> list[Row]:
    """A stack as T5 names it; its feed-forward is the last sublayer of each block."""
    block = f"{side}.block.{{}}.layer"
    ours = f"{side}.layers.{{}}"
    parts = [("0.SelfAttention", "attention")]
    if side == "decoder":
        parts.append(("1.EncDecAttention", "cross"))
    rows = [
        Row(
            f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
            f"{side}.distances.weight",
        ),
        Row(f"{side}.final_layer_norm", f"{side}.norm"),
        Row(f"{block}.{feed_forward}.layer_norm", f"{ours}.feed_forward.norm"),
    ]
    for theirs, name in parts:
        rows.append(Row(f"{block}.{theirs[0]}.layer_norm", f"{ours}.{name}.norm"))
        rows += [Row(f"{block}.{theirs}.{x}", f"{ours}.{name}.inner.{x}") for x in "qkvo"]
    return rows


def rows(c: ModelConfig) -> list[Row]:
    """Both stacks, whose feed-forward has two names for its first map, or one."""
    found = [
        Row("shared.weight", "encoder.embedding.weight", also="encoder.embed_tokens.weight"),
        Row("decoder.embed_tokens.weight", "decoder.embedding.weight"),
    ]
    maps = {"wi_0": "gate", "wi_1": "up"} if c.gated else {"wi": "up"}
    for side, last in (("encoder", 1), ("decoder", 2)):
        found += stack(side, last)
        for theirs, ours in {**maps, "wo": "down"}.items():
            found.append(
                Row(
                    f"{side}.block.{{}}.layer.{last}.DenseReluDense.{theirs}",
                    f"{side}.layers.{{}}.feed_forward.inner.{ours}",
                )
            )
    return found


T5 = Family(
    name="t5",
    vocabulary=32_128,
    objective="span corruption",
    preset=SMALL,
    presets={
        "small": SMALL,
        "base": BASE,
        "large": replace(
            SMALL, d_model=1024, d_ff=4096, n_heads=16, n_encoder_layers=24, n_decoder_layers=24
        ),
        "v1.1-base": replace(
            BASE, d_ff=2048, activation="gelu-tanh", gated=True, tie_embeddings="inputs"
        ),
    },
    base="",
    fields=FIELDS,
    adjust=read,
    head=scaled,
    extra=write,
    rows=rows,
    heads={
        "T5ForConditionalGeneration": (
            HeadNames("lm", HeadConfig(kind="lm", bias=False), (Row("lm_head", "output"),)),
        ),
        "T5Model": (),
    },
    unused=("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias",),
    roles=Roles(start="pad", banned=("pad",)),
)
