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
from pellucid.families.common_heads import END_CLASSIFIER, LM, SPAN, TAGGER
from pellucid.families.family import Family
from pellucid.families.fields import Field
from pellucid.families.renames import Rename, renames_below

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
# Their name of the feed-forward's activation, ours, and whether it gates.
FEED_FORWARD = {
    "relu": ("relu", False),
    "gelu": ("gelu", False),
    "gated-gelu": ("gelu-tanh", True),  # not the exact one that their name suggests
    "gated-silu": ("swish", True),
}
ENCODERS = ("T5EncoderModel", "T5ForTokenClassification")
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


def depth(theirs: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The decoder is as deep as the encoder, unless the file or the class says otherwise."""
    n_layers = theirs.get("num_decoder_layers") or found["n_encoder_layers"]
    alone = any(name in ENCODERS for name in theirs.get("architectures") or ())
    return {**found, "n_decoder_layers": 0 if alone else n_layers}


def scaled(theirs: Mapping[str, Any], head: HeadConfig) -> HeadConfig:
    """A tied output is the embedding, whose vectors are sqrt(d_model) times as long as its own."""
    if head.kind != "lm":
        return head
    tied = theirs.get("tie_word_embeddings", True) is not False
    scale = theirs.get("scale_decoder_outputs", tied)
    return replace(head, scale=theirs["d_model"] ** -0.5) if scale else head


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """What is not in `FIELDS`."""
    scale = any(head.scale != 1.0 for head in heads.values())
    return {
        "num_decoder_layers": c.n_decoder_layers,
        "scale_decoder_outputs": scale,
        "tie_word_embeddings": scale,
        "is_encoder_decoder": bool(c.n_decoder_layers),
    }


def rows(c: ModelConfig) -> list[Rename]:
    """Both stacks; of each block's sublayers, T5 numbers the places."""
    maps = {"wi_0": "gate", "wi_1": "up", "wo": "down"} if c.gated else {"wi": "up", "wo": "down"}
    attended = {name: name for name in "qkvo"}
    read = ("SelfAttention", "attention", attended)
    cross = ("EncDecAttention", "cross", attended)
    fed = ("DenseReluDense", "feed_forward", maps)
    found = [
        Rename(
            "shared.weight", "encoder.embedding.weight", alternative="encoder.embed_tokens.weight"
        ),
        Rename("decoder.embed_tokens.weight", "decoder.embedding.weight"),
    ]
    for side, sublayers in (("encoder", (read, fed)), ("decoder", (read, cross, fed))):
        distances = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        found.append(Rename(f"{side}.{distances}", f"{side}.distances.weight"))
        found.append(Rename(f"{side}.final_layer_norm", f"{side}.norm"))
        for place, (theirs, ours, parts) in enumerate(sublayers):
            sublayer, own = f"{side}.block.{{}}.layer.{place}", f"{side}.layers.{{}}.{ours}"
            found.append(Rename(f"{sublayer}.layer_norm", f"{own}.norm"))
            found += renames_below(f"{sublayer}.{theirs}", f"{own}.inner", parts)
    return found


T5 = Family(
    name="t5",
    vocab_size=32_128,
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
    base_prefix="",
    fields=FIELDS,
    read_special=depth,
    read_head=scaled,
    write_special=write,
    renames=rows,
    heads={
        "T5ForConditionalGeneration": (LM,),
        "T5WithLMHeadModel": (LM,),  # what the first files called it
        "T5ForSequenceClassification": (END_CLASSIFIER,),
        "T5ForTokenClassification": (TAGGER,),
        "T5ForQuestionAnswering": (SPAN,),
        "T5EncoderModel": (),
        "T5Model": (),
    },
    class_prefixes={f"T5For{kind}Classification": "transformer." for kind in ("Sequence", "Token")},
    ignored_tensors=("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias",),
    roles=Roles(start="pad", banned=("pad",)),
)
