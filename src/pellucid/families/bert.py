"""BERT: a bidirectional encoder trained to fill in masked words (Devlin et al. 2019).

What is special: segment embeddings distinguish the two texts of a pair; the sum of token, position
and segment embedding is normalised before the first layer; norms follow the residual sums; the
state of the first token, [CLS], pooled through a tanh, represents the whole text.
"""

from dataclasses import replace

from pellucid.config.model import ModelConfig
from pellucid.families.common_heads import POOLED, fine_tuned, masked_words
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import ACTIVATIONS, TIED, Field
from pellucid.families.renames import Rename, attention_renames, feed_forward_renames, renames_below

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
# Turc et al. 2019 (arXiv:1908.08962), table 1: layers and width, one head for each 64.
SMALLER = {
    name: replace(BASE, n_encoder_layers=n, d_model=width, d_ff=4 * width, n_heads=width // 64)
    for name, n, width in (
        ("tiny", 2, 128),
        ("mini", 4, 256),
        ("small", 4, 512),
        ("medium", 8, 512),
    )
}
ACTIVATION = Field("hidden_act", "activation", "gelu", ACTIVATIONS)
FIELDS = (
    Field("vocab_size", "vocab_size"),
    Field("hidden_size", "d_model", 768),
    Field("num_hidden_layers", "n_encoder_layers", 12),
    Field("num_attention_heads", "n_heads", 12),
    Field("intermediate_size", "d_ff", 3072),
    Field("max_position_embeddings", "max_length", 512),
    Field("type_vocab_size", "n_segments", 2),
    Field("layer_norm_eps", "norm_eps", 1e-12),
    ACTIVATION,
    Field("hidden_dropout_prob", "dropout", 0.1),
    Field("attention_probs_dropout_prob", "attention_dropout", 0.1),
    TIED,
)
REQUIRED = {"position_embedding_type": "absolute", "is_decoder": False}


DROPOUT = (Field("hidden_dropout_prob", "dropout"), Field("classifier_dropout", "dropout"))


def embeddings(base: str) -> list[Rename]:
    """Return the renames of the embeddings; base: published prefix, such as "bert."."""
    parts = {
        "word_embeddings.weight": "weight",
        "position_embeddings.weight": "positions.weight",
        "token_type_embeddings.weight": "segments",
        "LayerNorm": "norm",
    }
    return renames_below(f"{base}embeddings", "encoder.embedding", parts)


def trunk(base: str) -> tuple[Rename, ...]:
    """Return the renames of embeddings and layers; base: published prefix, such as "bert."."""
    layer, inner = f"{base}encoder.layer.{{}}", "encoder.layers.{}"
    maps = ("self.query", "self.key", "self.value", "output.dense")
    up, down, norm = "intermediate.dense", "output.dense", "output.LayerNorm"
    return (
        *embeddings(base),
        *attention_renames(f"{layer}.attention", f"{inner}.attention", *maps, norm=norm),
        *feed_forward_renames(layer, f"{inner}.feed_forward", up, down, norm),
    )


POOLER = Rename("bert.pooler.dense", "transform")
MLM = masked_words(
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.decoder",
    bias="cls.predictions.bias",
    activation=ACTIVATION,
)
# Label 0: the second text follows the first (Devlin et al. 2019, released code).
NSP = PublishedHead(
    "nsp",
    replace(POOLED, outputs=2, labels=("next", "random")),
    (POOLER, Rename("cls.seq_relationship", "output")),
)
TASKS = fine_tuned(POOLER, DROPOUT)

BERT = Family(
    name="bert",
    vocab_size=30_522,
    objective="masked words and next sentence",
    preset=BASE,
    presets={
        **SMALLER,
        "base": BASE,
        "large": replace(BASE, d_model=1024, n_encoder_layers=24, n_heads=16, d_ff=4096),
    },
    base_prefix="bert.",
    fields=FIELDS,
    required_settings=REQUIRED,
    renames=trunk("bert."),
    heads={
        "BertForPreTraining": (MLM, NSP),
        "BertForMaskedLM": (MLM,),
        "BertForNextSentencePrediction": (NSP,),
        **{f"BertFor{task}": (head,) for task, head in TASKS.items()},
        "BertModel": (PublishedHead("pooled", POOLED, (POOLER,)),),
    },
    ignored_tensors=(
        "bert.embeddings.position_ids",
        "bert.embeddings.token_type_ids",
        "bert.pooler",
        "cls",
    ),
)
