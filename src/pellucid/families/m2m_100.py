"""M2M-100 and NLLB: mBART's layout on 100 and 200 languages (Fan et al. 2021; NLLB Team 2022).

What differs from mBART: positions are computed, as in fairseq; there is no norm on the embeddings
and no bias on the logits. A text is `LANGUAGE words </s>`: the decoder starts with the end token,
and the language is forced as the first generated token.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.families.bart import FIELDS
from pellucid.families.common_heads import LM
from pellucid.families.fields import with_defaults
from pellucid.families.mbart import LARGE, MBART
from pellucid.text.special_tokens import LANGUAGE

SMALLEST = replace(
    LARGE,
    positions="sinusoid-real",
    embedding_norm=False,
    activation="relu",
    attention_dropout=0.1,
)
DEEP = replace(SMALLEST, n_encoder_layers=24, n_decoder_layers=24, d_ff=8192)
DEFAULTS = {"activation_function": "relu", "scale_embedding": True, "attention_dropout": 0.1}


def read_first_position(config: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Set first_position: positions are counted from the id after that of the padding."""
    return {**settings, "first_position": config.get("pad_token_id", 1) + 1}


def write_padding(c: ModelConfig, heads: Mapping[str, HeadConfig]) -> dict[str, Any]:
    """Return the id of the padding token."""
    return {"pad_token_id": c.first_position - 1}


M2M_100 = replace(
    MBART,
    name="m2m_100",
    vocab_size=128_112,
    objective="translation",
    preset=SMALLEST,
    # Sizes of the published models; 3.3b is of NLLB alone.
    presets={"418m": SMALLEST, "1.2b": DEEP, "3.3b": replace(DEEP, d_model=2048)},
    fields=with_defaults(FIELDS, DEFAULTS),
    read_special=read_first_position,
    write_special=write_padding,
    heads={"M2M100ForConditionalGeneration": (LM,), "M2M100Model": ()},
    # Sinusoids are computed, whatever a file of an old version holds.
    ignored_tensors=(
        *MBART.ignored_tensors,
        "model.encoder.embed_positions",
        "model.decoder.embed_positions",
    ),
    special_tokens=MBART.special_tokens._replace(
        single=(LANGUAGE, "A", "eos"), pair=(LANGUAGE, "A", "B", "eos")
    ),
    objectives={},
)
