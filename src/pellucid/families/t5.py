"""T5: every task as text to text, pretrained to fill in dropped spans (Raffel et al. 2020).

What is special: positions are a bias on the scores by bucketed distance, one table for all layers
of a stack and none for cross-attention; norms subtract no mean, and no linear map has a bias;
scores are not divided by sqrt(d_head), which the initialisation compensates. Version 1.1 gates the
feed-forward and does not tie the output, so states are not scaled before it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.common_heads import END_CLASSIFIER, LM, SPAN, TAGGER
from pellucid.families.family import Family
from pellucid.families.fields import Field
from pellucid.families.renames import Rename, renames_below
from pellucid.text.special_tokens import T5_TOKENS

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
# feed_forward_proj -> activation, and whether the feed-forward is gated.
FEED_FORWARD = {
    "relu": ("relu", False),
    "gelu": ("gelu", False),
    "gated-gelu": ("gelu-tanh", True),  # not the exact gelu that the name suggests
    "gated-silu": ("swish", True),
}
ENCODERS = tuple(
    f"{family}{name}"
    for family in ("T5", "MT5")
    for name in ("EncoderModel", "ForTokenClassification")
)
"""Classes without a decoder."""
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
    Field("feed_forward_proj", ("activation", "gated"), "relu", FEED_FORWARD),
    Field("dropout_rate", ("dropout", "attention_dropout", "activation_dropout"), 0.1),
)


def read_depth(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set n_decoder_layers: by default as in the encoder; 0 for encoder classes."""
    n_layers = config.get("num_decoder_layers") or settings["n_encoder_layers"]
    is_encoder = any(name in ENCODERS for name in config.get("architectures") or ())
    return {**settings, "n_decoder_layers": 0 if is_encoder else n_layers}


def read_scale(config: Mapping[str, Any], head: HeadConfig) -> HeadConfig:
    """Scale states by d_model^-0.5 before a tied output: embeddings are sqrt(d_model) too long."""
    if head.kind != "lm":
        return head
    is_tied = config.get("tie_word_embeddings", True) is not False
    is_scaled = config.get("scale_decoder_outputs", is_tied)
    return replace(head, scale=config["d_model"] ** -0.5) if is_scaled else head


def scale_tied_output(c: ModelConfig, head: HeadConfig) -> HeadConfig:
    """Scale the states before a tied output like `read_scale`, for a new model."""
    is_tied = head.kind == "lm" and c.tie_embeddings == "all"
    return replace(head, scale=c.d_model**-0.5) if is_tied else head


def write_depth_and_scale(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the settings that are not in `FIELDS`."""
    is_scaled = any(head.scale != 1.0 for head in heads.values())
    return {
        "num_decoder_layers": c.n_decoder_layers,
        "scale_decoder_outputs": is_scaled,
        "tie_word_embeddings": is_scaled,
        "is_encoder_decoder": bool(c.n_decoder_layers),
    }


def renames(c: ModelConfig) -> list[Rename]:
    """Return the renames of both stacks; T5 numbers the sublayers of a block."""
    maps = {"wi_0": "gate", "wi_1": "up", "wo": "down"} if c.gated else {"wi": "up", "wo": "down"}
    projections = {name: name for name in "qkvo"}
    attention = ("SelfAttention", "attention", projections)
    cross = ("EncDecAttention", "cross", projections)
    feed_forward = ("DenseReluDense", "feed_forward", maps)
    stacks = {"encoder": (attention, feed_forward), "decoder": (attention, cross, feed_forward)}
    table = [
        Rename(
            "shared.weight", "encoder.embedding.weight", alternative="encoder.embed_tokens.weight"
        ),
        Rename("decoder.embed_tokens.weight", "decoder.embedding.weight"),
    ]
    for side, sublayers in stacks.items():
        distances = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        table.append(Rename(f"{side}.{distances}", f"{side}.distances.weight"))
        table.append(Rename(f"{side}.final_layer_norm", f"{side}.norm"))
        for number, (module, name, parts) in enumerate(sublayers):
            published, internal = f"{side}.block.{{}}.layer.{number}", f"{side}.layers.{{}}.{name}"
            table.append(Rename(f"{published}.layer_norm", f"{internal}.norm"))
            table += renames_below(f"{published}.{module}", f"{internal}.inner", parts)
    return table


T5 = Family(
    name="t5",
    vocab_size=32_128,
    objective="span corruption",
    preset=SMALL,
    presets={
        # Tay et al. 2022 (arXiv:2109.10686), table 2.
        "efficient-tiny": replace(
            SMALL, d_model=256, d_ff=1024, n_heads=4, n_encoder_layers=4, n_decoder_layers=4
        ),
        "efficient-mini": replace(
            SMALL, d_model=384, d_ff=1536, n_encoder_layers=4, n_decoder_layers=4
        ),
        "small": SMALL,
        "base": BASE,
        "large": replace(
            SMALL, d_model=1024, d_ff=4096, n_heads=16, n_encoder_layers=24, n_decoder_layers=24
        ),
        "v1.1-base": replace(
            BASE, d_ff=2048, activation="gelu-tanh", gated=True, tie_embeddings="inputs"
        ),
    },
    base_prefix="",
    fields=FIELDS,
    read_special=read_depth,
    read_head=read_scale,
    adapt_head=scale_tied_output,
    write_special=write_depth_and_scale,
    renames=renames,
    heads={
        "T5ForConditionalGeneration": (LM,),
        "T5WithLMHeadModel": (LM,),  # the former name of this class
        "T5ForSequenceClassification": (END_CLASSIFIER,),
        "T5ForTokenClassification": (TAGGER,),
        "T5ForQuestionAnswering": (SPAN,),
        "T5EncoderModel": (),
        "T5Model": (),
    },
    class_prefixes={f"T5For{kind}Classification": "transformer." for kind in ("Sequence", "Token")},
    ignored_tensors=("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias",),
    roles=Roles(start="pad", banned=("pad",)),
    special_tokens=T5_TOKENS,
)
