"""RoBERTa: BERT trained longer, on more text, on masked words only (Liu et al. 2019).

What is special: positions count real tokens only, from the row after the padding's, as in fairseq;
there is one segment, since pairs of texts are not distinguished; a text is classified by its first
token through a linear map in the head, and pretraining used no pooler.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families import bert
from pellucid.families.common_heads import POOLED, fine_tuned, masked_words
from pellucid.families.family import Family, PublishedHead
from pellucid.families.renames import Rename
from pellucid.text.special_tokens import ROBERTA_TOKENS

BASE = replace(
    bert.BASE,
    positions="learned-real",
    first_position=2,  # row 1 belongs to padding, token 1; row 0 is never used
    n_segments=1,
    norm_eps=1e-5,
)


def read_positions(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set max_length and first_position: rows up to that of the padding belong to no token."""
    first = config.get("pad_token_id", 1) + 1
    return {**settings, "first_position": first, "max_length": settings["max_length"] - first}


def write_positions(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the number of rows of the position table and the id of the padding token."""
    return {
        "max_position_embeddings": c.first_position + c.max_length,
        "pad_token_id": c.first_position - 1,
    }


MLM = masked_words("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", bias="lm_head.bias")
POOLER = Rename("roberta.pooler.dense", "transform")
TASKS = fine_tuned(POOLER, bert.DROPOUT)
# Unlike a pooler, the head's linear map has dropout on its input too.
BOTH_DROPOUTS = (*bert.DROPOUT, *(f._replace(internal="input_dropout") for f in bert.DROPOUT))
CLASSIFIER = PublishedHead(
    "classifier",
    replace(TASKS["SequenceClassification"].config, input_dropout=0.1),
    (Rename("classifier.dense", "transform"), Rename("classifier.out_proj", "output")),
    BOTH_DROPOUTS,
)

ROBERTA = Family(
    name="roberta",
    vocab_size=50_265,
    objective="masked words",
    preset=BASE,
    presets={
        "base": BASE,
        "large": replace(BASE, d_model=1024, n_encoder_layers=24, n_heads=16, d_ff=4096),
    },
    base_prefix="roberta.",
    special_tokens=ROBERTA_TOKENS,
    fields=bert.FIELDS,
    required_settings=bert.REQUIRED,
    read_special=read_positions,
    write_special=write_positions,
    renames=bert.trunk("roberta."),
    heads={
        "RobertaForMaskedLM": (MLM,),
        "RobertaForSequenceClassification": (CLASSIFIER,),
        "RobertaForTokenClassification": (TASKS["TokenClassification"],),
        "RobertaForQuestionAnswering": (TASKS["QuestionAnswering"],),
        "RobertaModel": (PublishedHead("pooled", POOLED, (POOLER,)),),
    },
    ignored_tensors=(
        "roberta.embeddings.position_ids",
        "roberta.embeddings.token_type_ids",
        "roberta.pooler",
        "lm_head",
    ),
)
