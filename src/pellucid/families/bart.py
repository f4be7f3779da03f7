"""BART: an encoder-decoder trained to mend noised text (Lewis et al. 2020).

What is special: learned positions whose first two rows are never used; a norm on the embeddings
of both sides; a bias on the logits that training leaves at zero; a text is classified by the
decoder's state at the last end token, when both sides have read it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.decoding import Roles
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families.family import ACTIVATIONS, SPAN, TIED, Family, Field, HeadNames, Row

BASE = ModelConfig(
    d_model=768,
    n_encoder_layers=6,
    n_decoder_layers=6,
    n_heads=12,
    d_ff=3072,
    max_length=1024,
    positions="learned",
    first_position=2,  # fairseq's tables began behind the padding's row
    embedding_norm=True,
    activation="gelu",
    scale_embeddings=False,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("d_model", "d_model", 1024),
    Field("encoder_layers", "n_encoder_layers", 12),
    Field("decoder_layers", "n_decoder_layers", 12),
    Field("encoder_attention_heads", "n_heads", 16),
    Field("encoder_ffn_dim", "d_ff", 4096),
    Field("max_position_embeddings", "max_length", 1024),
    Field("activation_function", "activation", "gelu", ACTIVATIONS),
    Field("scale_embedding", "scale_embeddings", False, {False: False, True: True}),
    Field("dropout", "dropout", 0.1),
    Field("attention_dropout", "attention_dropout", 0.0),
    Field("activation_dropout", "activation_dropout", 0.0),
    TIED,
)


def same_on_both_sides(theirs: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Raises: ConfigError where the two stacks differ in what is one setting here."""
    for name in ("attention_heads", "ffn_dim"):
        first, second = theirs.get(f"encoder_{name}"), theirs.get(f"decoder_{name}")
        if first != second:
            raise ConfigError(
                f"encoder_{name}={first} and decoder_{name}={second}: stacks of different shape are"
                " not supported here. This model cannot be opened."
            )
    return found


def both_sides(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """The settings that the two stacks share here, for the decoder."""
    return {"decoder_attention_heads": c.n_heads, "decoder_ffn_dim": c.d_ff}


def rows(c: ModelConfig) -> tuple[Row, ...]:
    """Both stacks as BART names them, and its followers too."""
    one, first, second = (
        f"model.{name}.weight"
        for name in ("shared", "encoder.embed_tokens", "decoder.embed_tokens")
    )
    if c.tie_embeddings in ("all", "inputs"):
        own = (
            Row(one, "encoder.embedding.weight", also=first),
            Row(second, "decoder.embedding.weight"),
        )
    else:  # the shared table may lie in the file and mean nothing, or stand for both
        own = (
            Row(first, "encoder.embedding.weight", also=one),
            Row(second, "decoder.embedding.weight", also=one),
        )
    return (*own, *stacks())


def stacks() -> tuple[Row, ...]:
    """All but the tokens' embeddings."""
    rows = []
    for side in ("encoder", "decoder"):
        theirs, ours = f"model.{side}.layers.{{}}", f"{side}.layers.{{}}"
        rows += [
            Row(f"model.{side}.embed_positions.weight", f"{side}.embedding.positions.weight"),
            Row(f"model.{side}.layernorm_embedding", f"{side}.embedding.norm"),
            Row(f"model.{side}.layer_norm", f"{side}.norm"),
            Row(f"{theirs}.fc1", f"{ours}.feed_forward.inner.up"),
            Row(f"{theirs}.fc2", f"{ours}.feed_forward.inner.down"),
            Row(f"{theirs}.final_layer_norm", f"{ours}.feed_forward.norm"),
        ]
        for part, block in (("self_attn", "attention"), ("encoder_attn", "cross")):
            rows.append(Row(f"{theirs}.{part}_layer_norm", f"{ours}.{block}.norm"))
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                rows.append(Row(f"{theirs}.{part}.{name}", f"{ours}.{block}.inner.{name[0]}"))
    return tuple(rows)


LM = HeadNames(
    "lm",
    HeadConfig(kind="lm"),
    (Row("lm_head.weight", "output.weight"), Row("final_logits_bias", "output.bias", flat=True)),
)
# The end token is the one that has seen the whole text, in a decoder that reads it again.
CLASSIFIER = HeadNames(
    "classifier",
    HeadConfig(kind="sequence", outputs=3, activation="tanh", pool="end"),
    (Row("classification_head.dense", "transform"), Row("classification_head.out_proj", "output")),
    (Field("classifier_dropout", "dropout"), Field("classifier_dropout", "input_dropout")),
)

BART = Family(
    name="bart",
    vocabulary=50_265,
    objective="denoising",
    preset=BASE,
    presets={
        "base": BASE,
        "large": replace(
            BASE, d_model=1024, n_encoder_layers=12, n_decoder_layers=12, n_heads=16, d_ff=4096
        ),
    },
    base="model.",
    fields=FIELDS,
    adjust=same_on_both_sides,
    extra=both_sides,
    rows=rows,
    heads={
        "BartForConditionalGeneration": (LM,),
        "BartForSequenceClassification": (CLASSIFIER,),
        "BartForQuestionAnswering": (SPAN,),
        "BartModel": (),
    },
    unused=("model.encoder.version", "model.decoder.version"),
    roles=Roles(start="eos", banned=("pad",)),
)
