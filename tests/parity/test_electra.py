"""ELECTRA against transformers.  Authority: its classes with the same random weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers

from parity.classes import logits_of
from parity.peer import (
    IDS,
    KEEP,
    SEGMENTS,
    check_both_ways,
    check_states,
    gradients_reach_all,
    head_logits,
)
from pellucid.errors import ConfigError
from pellucid.families.electra import ELECTRA
from pellucid.formats.huggingface import PublishedModel

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "embedding_size": 6,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
NAMES = (
    "ElectraForPreTraining",
    "ElectraForMaskedLM",
    "ElectraForSequenceClassification",
    "ElectraForTokenClassification",
    "ElectraForQuestionAnswering",
)


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    return head_logits(published, head, SEGMENTS)


def outputs(reference) -> dict[str, torch.Tensor]:
    actual = reference(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS)
    return logits_of(reference, actual, KEEP)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("width", [6, 8, 12])
@pytest.mark.parametrize("changes", [{}, {"hidden_act": "relu", "tie_word_embeddings": False}])
def test_every_head(kind, width, changes, tmp_path):
    labels = {} if kind == "ElectraForQuestionAnswering" else {"num_labels": 3}
    config = transformers.ElectraConfig(**{**CONFIG, **labels, **changes, "embedding_size": width})
    published = check_both_ways(
        getattr(transformers, kind)(config), tmp_path, outputs, compute_logits
    )
    assert published.model.config.d_embedding == (0 if width == 8 else width)


@pytest.mark.parametrize("width", [6, 8])
def test_base_class(width, tmp_path):
    config = transformers.ElectraConfig(**{**CONFIG, "embedding_size": width})
    check_states(transformers.ElectraModel(config), "electra.", tmp_path, SEGMENTS)


@pytest.mark.parametrize("width", [6, 8])
def test_gradients_reach_every_parameter(width):  # authority: a weight that is used has a gradient
    gradients_reach_all(ELECTRA, {**CONFIG, "embedding_size": width}, SEGMENTS)


def test_what_their_config_cannot_tell():
    with pytest.raises(ConfigError, match="no projection"):
        ELECTRA.write_config(replace(ELECTRA.preset, d_embedding=256), {})


def test_defaults_are_those_of_transformers():  # authority: their config class (small)
    c = ELECTRA.read_config({"vocab_size": 30522}, "nothing")
    assert c == ELECTRA.read_config(transformers.ElectraConfig().to_dict(), "config.json")
    assert c == replace(ELECTRA.presets["small"], vocab_size=30522)
