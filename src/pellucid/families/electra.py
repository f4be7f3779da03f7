"""ELECTRA: an encoder that learns to detect replaced tokens (Clark et al. 2020).

What is special: a small generator fills in masked words, and the discriminator classifies each
token as original or replaced; token embeddings may be narrower than the layers, and only then pass
a projection; no pooler; a text is classified by its first token through a gelu.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.errors import ConfigError
from pellucid.families import bert, roberta
from pellucid.families.common_heads import fine_tuned, masked_words
from pellucid.families.family import Family, PublishedHead
from pellucid.families.fields import Field, with_defaults
from pellucid.families.renames import Rename

# A generator has a fraction of these widths: 1/4, 1/3 and 1/4 (appendix A).
SMALL = replace(bert.BASE, d_embedding=128, d_model=256, n_heads=4, d_ff=1024)
BASE = bert.BASE
# No paper has these: the smaller sizes of BERT (Turc et al. 2019) with embeddings of width 128.
SMALLER = {
    "tiny": bert.SMALLER["tiny"],
    "mini": replace(bert.SMALLER["mini"], d_embedding=128),
}
DEFAULTS = {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
FIELDS = (
    *with_defaults(bert.FIELDS, DEFAULTS),
    Field("embedding_size", "d_embedding", 128),
)


def read_width(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set d_embedding to 0 if embeddings have the width of the layers: no projection."""
    is_equal = settings["d_embedding"] == settings["d_model"]
    return {**settings, "d_embedding": 0} if is_equal else settings


def write_width(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the embedding width. Raises: ConfigError if a projection has equal widths."""
    if c.d_embedding == c.d_model:
        raise ConfigError(
            f"d_embedding={c.d_embedding} equals d_model: then an ELECTRA has no projection, but"
            " this model has one. Save it in pellucid's own layout, or build it with d_embedding=0."
        )
    return {"embedding_size": c.embedding_width}


GENERATOR = masked_words(  # always gelu, as its classifier is
    "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head"
)
# One logit a token: above 0 it was replaced (released code).
DISCRIMINATOR = PublishedHead(
    "replaced",
    HeadConfig(kind="score", outputs=1, activation="gelu"),
    (
        Rename("discriminator_predictions.dense", "transform"),
        Rename("discriminator_predictions.dense_prediction", "output"),
    ),
    (bert.ACTIVATION,),
)
CLASSIFIER = PublishedHead(
    "classifier",
    HeadConfig(kind="sequence", outputs=2, activation="gelu", dropout=0.1, input_dropout=0.1),
    (Rename("classifier.dense", "transform"), Rename("classifier.out_proj", "output")),
    roberta.BOTH_DROPOUTS,
)
TASKS = fine_tuned(CLASSIFIER.renames[0], bert.DROPOUT)

ELECTRA = Family(
    name="electra",
    vocab_size=30_522,
    objective="replaced tokens",
    preset=SMALL,
    presets={
        **SMALLER,
        "small": SMALL,
        "base": BASE,
        "large": replace(BASE, d_model=1024, n_encoder_layers=24, n_heads=16, d_ff=4096),
    },
    base_prefix="electra.",
    fields=FIELDS,
    required_settings=bert.REQUIRED,
    read_special=read_width,
    write_special=write_width,
    renames=(
        *bert.trunk("electra."),
        Rename("electra.embeddings_project", "encoder.embedding.widen"),
    ),
    heads={
        "ElectraForPreTraining": (DISCRIMINATOR,),
        "ElectraForMaskedLM": (GENERATOR,),
        "ElectraForSequenceClassification": (CLASSIFIER,),
        "ElectraForTokenClassification": (TASKS["TokenClassification"],),
        "ElectraForQuestionAnswering": (TASKS["QuestionAnswering"],),
        "ElectraModel": (),
    },
    ignored_tensors=(
        "electra.embeddings.position_ids",
        "electra.embeddings.token_type_ids",
        "discriminator_predictions",
        "generator_predictions",
        "generator_lm_head",
    ),
)
