"""DistilBERT: a BERT of half the layers that was taught by the whole one (Sanh et al. 2019).

What is special: no segments and no pooler; a text is classified by its first token through a relu.
Its norms have one epsilon, which is fixed and no config names.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import bert
from pellucid.families.family import ACTIVATIONS, SPAN, TIED, Family, Field, HeadNames, Row

BASE = replace(bert.BASE, n_encoder_layers=6, n_segments=0)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("dim", "d_model", 768),
    Field("n_layers", "n_encoder_layers", 6),
    Field("n_heads", "n_heads", 12),
    Field("hidden_dim", "d_ff", 3072),
    Field("max_position_embeddings", "max_length", 512),
    Field("activation", "activation", "gelu", ACTIVATIONS),
    Field("dropout", "dropout", 0.1),
    Field("attention_dropout", "attention_dropout", 0.1),
    TIED,
)


def same_activation(theirs: Mapping[str, Any], head: HeadConfig) -> HeadConfig:
    """Masked words pass the activation that the layers have."""
    if head.kind != "lm":
        return head
    return replace(head, activation=ACTIVATIONS[theirs.get("activation", "gelu")])


def write(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Nothing beyond `FIELDS`. Raises: ConfigError at a model that their config cannot tell."""
    if c.norm_eps != BASE.norm_eps or c.n_segments:
        raise ConfigError(
            f"norm_eps={c.norm_eps}, n_segments={c.n_segments}: a DistilBERT has {BASE.norm_eps}"
            " and 0. Save this one as a BERT, or in pellucid's own layout."
        )
    return {}


def trunk() -> tuple[Row, ...]:
    """Embeddings and layers as DistilBERT names them."""
    theirs, ours = "distilbert.transformer.layer.{}", "encoder.layers.{}"
    embeddings, attention = "distilbert.embeddings", f"{ours}.attention.inner"
    return (
        Row(f"{embeddings}.word_embeddings.weight", "encoder.embedding.weight"),
        Row(f"{embeddings}.position_embeddings.weight", "encoder.embedding.positions.weight"),
        Row(f"{embeddings}.LayerNorm", "encoder.embedding.norm"),
        *[Row(f"{theirs}.attention.{x}_lin", f"{attention}.{x}") for x in "qkv"],
        Row(f"{theirs}.attention.out_lin", f"{attention}.o"),
        Row(f"{theirs}.sa_layer_norm", f"{ours}.attention.norm"),
        Row(f"{theirs}.ffn.lin1", f"{ours}.feed_forward.inner.up"),
        Row(f"{theirs}.ffn.lin2", f"{ours}.feed_forward.inner.down"),
        Row(f"{theirs}.output_layer_norm", f"{ours}.feed_forward.norm"),
    )


MLM = HeadNames(
    "mlm",
    bert.MLM.config,
    (
        Row("vocab_transform", "transform"),
        Row("vocab_layer_norm", "norm"),
        Row("vocab_projector", "output"),
    ),
)
POOLER = Row("pre_classifier", "transform")
TASKS = bert.classifiers(POOLER, (Field("dropout", "dropout"),))
CLASSIFIER = TASKS["SequenceClassification"]._replace(
    config=HeadConfig(kind="sequence", outputs=2, activation="relu", dropout=0.2),
    settings=(Field("seq_classif_dropout", "dropout"),),
)
ANSWER = SPAN._replace(
    config=replace(SPAN.config, dropout=0.1), settings=(Field("qa_dropout", "dropout"),)
)

DISTILBERT = Family(
    name="distilbert",
    vocabulary=30_522,
    objective="masked words and a teacher's predictions",
    preset=BASE,
    presets={"base": BASE},
    base="distilbert.",
    fields=FIELDS,
    head=same_activation,
    extra=write,
    rows=trunk(),
    heads={
        "DistilBertForMaskedLM": (MLM,),
        "DistilBertForSequenceClassification": (CLASSIFIER,),
        "DistilBertForTokenClassification": (TASKS["TokenClassification"],),
        "DistilBertForQuestionAnswering": (ANSWER,),
        "DistilBertModel": (),
    },
    unused=(
        "distilbert.embeddings.position_ids",
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector",
    ),
)
