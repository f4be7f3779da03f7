"""DistilBERT against transformers.  Authority: its classes with the same random weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers

from parity.classes import logits_of
from parity.peer import (
    IDS,
    KEEP,
    check_both_ways,
    check_states,
    gradients_reach_all,
    head_logits,
)
from pellucid.errors import ConfigError
from pellucid.families.distilbert import DISTILBERT

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "dim": 8,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 16,
    "max_position_embeddings": 20,
}
NAMES = (
    "DistilBertForMaskedLM",
    "DistilBertForSequenceClassification",
    "DistilBertForTokenClassification",
    "DistilBertForQuestionAnswering",
)


def outputs(reference) -> dict[str, torch.Tensor]:
    actual = reference(IDS, attention_mask=KEEP.long())
    return logits_of(reference, actual, KEEP)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "changes",
    [{}, {"activation": "relu", "sinusoidal_pos_embds": True}, {"tie_word_embeddings": False}],
)
def test_every_head(kind, changes, tmp_path):
    labels = {} if kind == "DistilBertForQuestionAnswering" else {"num_labels": 3}
    config = transformers.DistilBertConfig(**{**CONFIG, **labels, **changes})
    check_both_ways(getattr(transformers, kind)(config), tmp_path, outputs, head_logits)


def test_base_class(tmp_path):
    reference = transformers.DistilBertModel(transformers.DistilBertConfig(**CONFIG))
    check_states(reference, "distilbert.", tmp_path)


def test_gradients_reach_every_parameter():  # authority: a weight that is used has a gradient
    gradients_reach_all(DISTILBERT, CONFIG)


@pytest.mark.parametrize("changes", [{"norm_eps": 1e-5}, {"n_segments": 2}])
def test_what_their_config_cannot_tell(changes):
    with pytest.raises(ConfigError, match="cannot express this"):
        DISTILBERT.write_config(replace(DISTILBERT.preset, **changes), {})


def test_defaults_are_those_of_transformers():  # authority: their config class (base)
    c = DISTILBERT.read_config({"vocab_size": 30522}, "nothing")
    assert c == DISTILBERT.read_config(transformers.DistilBertConfig().to_dict(), "config.json")
    assert c == replace(DISTILBERT.presets["base"], vocab_size=30522)
