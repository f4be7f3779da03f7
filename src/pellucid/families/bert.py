"""BERT: an encoder that reads both ways, trained to fill in hidden words (Devlin et al. 2019).

What is special: a table of segments tells the first text of a pair from the second; the sum of
token, position and segment is normalised before the first layer; norms follow the residual sums;
the first token, [CLS], is pooled through a tanh to stand for the whole text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.family import ACTIVATIONS, SPAN, TIED, Family, Field, HeadNames, Row

BASE = ModelConfig(
    d_model=768,
    n_encoder_layers=12,
    n_decoder_layers=0,
    n_heads=12,
    d_ff=3072,
    n_segments=2,
    max_length=512,
    positions="learned",
    embedding_norm=True,
    norm_eps=1e-12,
    activation="gelu",
    scale_embeddings=False,
    attention_dropout=0.1,
)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("hidden_size", "d_model", 768),
    Field("num_hidden_layers", "n_encoder_layers", 12),
    Field("num_attention_heads", "n_heads", 12),
    Field("intermediate_size", "d_ff", 3072),
    Field("max_position_embeddings", "max_length", 512),
    Field("type_vocab_size", "n_segments", 2),
    Field("layer_norm_eps", "norm_eps", 1e-12),
    Field("hidden_act", "activation", "gelu", ACTIVATIONS),
    Field("hidden_dropout_prob", "dropout", 0.1),
    Field("attention_probs_dropout_prob", "attention_dropout", 0.1),
    TIED,
)
REQUIRED = {"position_embedding_type": "absolute", "is_decoder": False}


def trunk(base: str) -> tuple[Row, ...]:
    """Embeddings and layers as BERT names them; its followers do so under a prefix of theirs."""
    embeddings, layer = f"{base}embeddings", f"{base}encoder.layer.{{}}"
    return (
        Row(f"{embeddings}.word_embeddings.weight", "encoder.embedding.weight"),
        Row(f"{embeddings}.position_embeddings.weight", "encoder.embedding.positions.weight"),
        Row(f"{embeddings}.token_type_embeddings.weight", "encoder.embedding.segments"),
        Row(f"{embeddings}.LayerNorm", "encoder.embedding.norm"),
        Row(f"{layer}.attention.self.query", "encoder.layers.{}.attention.inner.q"),
        Row(f"{layer}.attention.self.key", "encoder.layers.{}.attention.inner.k"),
        Row(f"{layer}.attention.self.value", "encoder.layers.{}.attention.inner.v"),
        Row(f"{layer}.attention.output.dense", "encoder.layers.{}.attention.inner.o"),
        Row(f"{layer}.attention.output.LayerNorm", "encoder.layers.{}.attention.norm"),
        Row(f"{layer}.intermediate.dense", "encoder.layers.{}.feed_forward.inner.up"),
        Row(f"{layer}.output.dense", "encoder.layers.{}.feed_forward.inner.down"),
        Row(f"{layer}.output.LayerNorm", "encoder.layers.{}.feed_forward.norm"),
    )


POOLER = Row("bert.pooler.dense", "transform")
POOLED = HeadConfig(kind="sequence", activation="tanh")
MLM = HeadNames(
    "mlm",
    HeadConfig(kind="lm", activation="gelu", norm=True),
    (
        Row("cls.predictions.transform.dense", "transform"),
        Row("cls.predictions.transform.LayerNorm", "norm"),
        Row("cls.predictions.decoder.weight", "output.weight"),
        Row("cls.predictions.bias", "output.bias", also="cls.predictions.decoder.bias"),
    ),
)
# The first label says that the second text is next (Devlin et al. 2019, released code).
NSP = HeadNames(
    "nsp",
    replace(POOLED, outputs=2, labels=("next", "random")),
    (POOLER, Row("cls.seq_relationship", "output")),
)


DROPOUT = (Field("hidden_dropout_prob", "dropout"), Field("classifier_dropout", "dropout"))


def classifiers(pooler: Row, settings: Sequence[Field] = DROPOUT) -> dict[str, HeadNames]:
    """The heads of fine-tuning: a text's label, each token's, and where an answer is."""
    output = Row("classifier", "output")
    token = HeadConfig(kind="token", outputs=2, dropout=0.1)
    return {
        "SequenceClassification": HeadNames(
            "classifier", replace(POOLED, outputs=2, dropout=0.1), (pooler, output), settings
        ),
        "TokenClassification": HeadNames("tagger", token, (output,), settings),
        "QuestionAnswering": SPAN,
    }


def as_said(theirs: Mapping[str, Any], head: HeadConfig) -> HeadConfig:
    """The head for masked words has the layers' own activation."""
    if head.kind != "lm":
        return head
    return replace(head, activation=ACTIVATIONS[theirs.get("hidden_act", "gelu")])


BERT = Family(
    name="bert",
    vocabulary=30_522,
    objective="masked words and next sentence",
    preset=BASE,
    presets={
        "base": BASE,
        "large": replace(BASE, d_model=1024, n_encoder_layers=24, n_heads=16, d_ff=4096),
    },
    base="bert.",
    fields=FIELDS,
    required=REQUIRED,
    head=as_said,
    rows=trunk("bert."),
    heads={
        "BertForPreTraining": (MLM, NSP),
        "BertForMaskedLM": (MLM,),
        "BertForNextSentencePrediction": (NSP,),
        **{f"BertFor{task}": (head,) for task, head in classifiers(POOLER).items()},
        "BertModel": (HeadNames("pooled", POOLED, (POOLER,)),),
    },
    unused=("bert.embeddings.position_ids", "bert.embeddings.token_type_ids", "bert.pooler", "cls"),
)
