"""DistilBERT: a BERT with half the layers, distilled from the whole one (Sanh et al. 2019).

What is special: no segments and no pooler; a text is classified by its first token through a relu.
The norms' epsilon is fixed and not a setting.
"""

from dataclasses import replace

from pellucid.config.head import HeadConfig
from pellucid.families import bert
from pellucid.families.common_heads import SPAN, fine_tuned, masked_words
from pellucid.families.family import Family
from pellucid.families.fields import ACTIVATIONS, TIED, Field
from pellucid.families.renames import Rename, attention_renames, feed_forward_renames

BASE = replace(bert.BASE, n_encoder_layers=6, n_segments=0)
ACTIVATION = Field("activation", "activation", "gelu", ACTIVATIONS)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("dim", "d_model", 768),
    Field("n_layers", "n_encoder_layers", 6),
    Field("n_heads", "n_heads", 12),
    Field("hidden_dim", "d_ff", 3072),
    Field("max_position_embeddings", "max_length", 512),
    ACTIVATION,
    Field("dropout", "dropout", 0.1),
    Field("attention_dropout", "attention_dropout", 0.1),
    TIED,
)


def trunk() -> tuple[Rename, ...]:
    """Return the renames of embeddings and layers."""
    embeddings, layer = "distilbert.embeddings", "distilbert.transformer.layer.{}"
    attention, feed_forward = "encoder.layers.{}.attention", "encoder.layers.{}.feed_forward"
    maps = [f"attention.{name}_lin" for name in ("q", "k", "v", "out")]
    return (
        Rename(f"{embeddings}.word_embeddings.weight", "encoder.embedding.weight"),
        Rename(f"{embeddings}.position_embeddings.weight", "encoder.embedding.positions.weight"),
        Rename(f"{embeddings}.LayerNorm", "encoder.embedding.norm"),
        *attention_renames(layer, attention, *maps, norm="sa_layer_norm"),
        *feed_forward_renames(layer, feed_forward, "ffn.lin1", "ffn.lin2", "output_layer_norm"),
    )


MLM = masked_words("vocab_transform", "vocab_layer_norm", "vocab_projector", activation=ACTIVATION)
POOLER = Rename("pre_classifier", "transform")
TASKS = fine_tuned(POOLER, (Field("dropout", "dropout"),))
CLASSIFIER = TASKS["SequenceClassification"]._replace(
    config=HeadConfig(kind="sequence", outputs=2, activation="relu", dropout=0.2),
    settings=(Field("seq_classif_dropout", "dropout"),),
)
ANSWER = SPAN._replace(
    config=replace(SPAN.config, dropout=0.1), settings=(Field("qa_dropout", "dropout"),)
)

DISTILBERT = Family(
    name="distilbert",
    vocab_size=30_522,
    objective="masked words and a teacher's predictions",
    preset=BASE,
    presets={"base": BASE},
    base_prefix="distilbert.",
    fields=FIELDS,
    renames=trunk(),
    heads={
        "DistilBertForMaskedLM": (MLM,),
        "DistilBertForSequenceClassification": (CLASSIFIER,),
        "DistilBertForTokenClassification": (TASKS["TokenClassification"],),
        "DistilBertForQuestionAnswering": (ANSWER,),
        "DistilBertModel": (),
    },
    ignored_tensors=(
        "distilbert.embeddings.position_ids",
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector",
    ),
)
