"""ALBERT: a BERT whose layers share their weights (Lan et al. 2020).

What is special: all layers of a group, usually all there are, share one layer's weights; token
embeddings are narrow and pass a projection, even if the widths are equal; besides masked words it
learns whether two texts are in their order; its gelu is the approximate one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import bert
from pellucid.families.common_heads import POOLED, fine_tuned, masked_words
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import Field, with_defaults
from pellucid.families.renames import Rename, attention_renames, feed_forward_renames

BASE = replace(
    bert.BASE,
    d_embedding=128,
    layer_groups=1,
    activation="gelu-tanh",
    dropout=0.0,  # the largest model was better without
    attention_dropout=0.0,
)
DEFAULTS = {
    "hidden_size": 4096,
    "num_attention_heads": 64,
    "intermediate_size": 16384,
    "hidden_act": "gelu_new",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
# No paper has these: the smaller sizes of BERT (Turc et al. 2019), their layers shared.
SMALLER = {
    name: replace(
        BASE,
        n_encoder_layers=c.n_encoder_layers,
        d_model=c.d_model,
        d_ff=c.d_ff,
        n_heads=c.n_heads,
    )
    for name, c in bert.SMALLER.items()
    if name in ("tiny", "mini")
}
FIELDS = (
    *with_defaults(bert.FIELDS, DEFAULTS),
    Field("embedding_size", "d_embedding", 128),
    Field("num_hidden_groups", "layer_groups", 1),
)


def n_groups(c: ModelConfig) -> int:
    """Return the number of groups; layers that share nothing are groups of one."""
    return c.layer_groups or c.n_encoder_layers


def write_groups(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the number of groups. Raises: ConfigError without an embedding projection."""
    if not c.d_embedding:
        raise ConfigError(
            "d_embedding=0, but an ALBERT always has a projection after its embedding. Save"
            f" this model in pellucid's own layout, or build it with d_embedding={c.d_model}."
        )
    return {"num_hidden_groups": n_groups(c)}


def renames(c: ModelConfig) -> list[Rename]:
    """Return the renames of the embeddings and of the first layer of each group."""
    widen = Rename("albert.encoder.embedding_hidden_mapping_in", "encoder.embedding.widen")
    table = [*bert.embeddings("albert."), widen]
    maps = ("query", "key", "value", "dense")
    feed_forward = ("ffn", "ffn_output", "full_layer_layer_norm")
    for group in range(n_groups(c)):
        layer = f"albert.encoder.albert_layer_groups.{group}.albert_layers.0"
        inner = f"encoder.layers.{group * (c.n_encoder_layers // n_groups(c))}"
        attention = (f"{layer}.attention", f"{inner}.attention")
        table += attention_renames(*attention, *maps, norm="LayerNorm")
        table += feed_forward_renames(layer, f"{inner}.feed_forward", *feed_forward)
    return table


MLM = masked_words(
    "predictions.dense",
    "predictions.LayerNorm",
    "predictions.decoder",
    bias="predictions.bias",
    activation=bert.ACTIVATION._replace(default="gelu_new"),
)
POOLER = Rename("albert.pooler", "transform")
DROPOUT = (Field("classifier_dropout_prob", "dropout"),)
# The second label says that the two texts were swapped.
SOP = PublishedHead(
    "sop",
    replace(POOLED, outputs=2, labels=("ordered", "swapped"), dropout=0.1),
    (POOLER, Rename("sop_classifier.classifier", "output")),
    DROPOUT,
)
TASKS = fine_tuned(POOLER, DROPOUT)

ALBERT = Family(
    name="albert",
    vocab_size=30_000,
    objective="masked words and the order of two texts",
    preset=BASE,
    presets={  # d_model / 64 heads (section 3.1)
        **SMALLER,
        "base": BASE,
        "large": replace(BASE, d_model=1024, n_encoder_layers=24, n_heads=16, d_ff=4096),
        "xlarge": replace(BASE, d_model=2048, n_encoder_layers=24, n_heads=32, d_ff=8192),
        "xxlarge": replace(BASE, d_model=4096, n_heads=64, d_ff=16384),
    },
    base_prefix="albert.",
    fields=FIELDS,
    required_settings={**bert.REQUIRED, "inner_group_num": 1},
    write_special=write_groups,
    renames=renames,
    heads={
        "AlbertForPreTraining": (MLM, SOP),
        "AlbertForMaskedLM": (MLM,),
        **{f"AlbertFor{task}": (head,) for task, head in TASKS.items()},
        "AlbertModel": (PublishedHead("pooled", POOLED, (POOLER,)),),
    },
    ignored_tensors=(
        "albert.embeddings.position_ids",
        "albert.embeddings.token_type_ids",
        "albert.pooler",
        "predictions",
        "sop_classifier",
    ),
)
