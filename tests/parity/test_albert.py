"""ALBERT against transformers.  Authority: its classes with the same random weights."""

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
    assert_close,
    check_both_ways,
    check_states,
    gradients_reach_all,
    head_logits,
    randomize,
    save_and_open,
)
from pellucid.errors import ConfigError
from pellucid.families.albert import ALBERT
from pellucid.formats.huggingface import PublishedModel, write_published
from pellucid.nn.model import build

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "embedding_size": 6,
    "hidden_size": 8,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
KINDS = (
    "PreTraining",
    "MaskedLM",
    "SequenceClassification",
    "TokenClassification",
    "QuestionAnswering",
)
NAMES = (*(f"AlbertFor{kind}" for kind in KINDS), "AlbertModel")


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    return head_logits(published, head, SEGMENTS)


def outputs(reference) -> dict[str, torch.Tensor]:
    actual = reference(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS)
    return logits_of(reference, actual, KEEP)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_hidden_groups": 2, "embedding_size": 8},
        {"num_hidden_groups": 4, "hidden_act": "relu"},
    ],
)
def test_every_head(kind, changes, tmp_path):
    two = kind in ("AlbertForPreTraining", "AlbertForQuestionAnswering")
    config = transformers.AlbertConfig(**{**CONFIG, **changes, "num_labels": 2 if two else 3})
    published = check_both_ways(
        getattr(transformers, kind)(config), tmp_path, outputs, compute_logits
    )
    assert published.model.config.d_embedding == config.embedding_size
    assert published.model.config.layer_groups == config.num_hidden_groups


@pytest.mark.parametrize("groups", [1, 2])
def test_base_class(groups, tmp_path):
    config = transformers.AlbertConfig(**{**CONFIG, "num_hidden_groups": groups})
    check_states(transformers.AlbertModel(config), "albert.", tmp_path, SEGMENTS)


@torch.no_grad()
def test_layers_of_their_own_are_groups_of_one(tmp_path):
    c = replace(ALBERT.read_config(CONFIG, "CONFIG"), layer_groups=0)
    model = build(c, seed=0)
    randomize(model)
    published = PublishedModel(ALBERT, model, {}, "AlbertModel", {})
    write_published(tmp_path, published)
    reference = transformers.AlbertModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    actual = reference(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS).last_hidden_state
    assert_close(model(IDS, KEEP, segments=SEGMENTS)[KEEP], actual[KEEP])


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_reach_every_parameter(groups):  # authority: a weight in use has a gradient
    gradients_reach_all(ALBERT, {**CONFIG, "num_hidden_groups": groups}, SEGMENTS)


def test_several_layers_in_a_group_are_refused(tmp_path):
    reference = transformers.AlbertModel(transformers.AlbertConfig(**CONFIG, inner_group_num=2))
    with pytest.raises(ConfigError, match="inner_group_num"):
        save_and_open(reference, tmp_path)


def test_what_their_config_cannot_tell():
    with pytest.raises(ConfigError, match="d_embedding"):
        ALBERT.write_config(replace(ALBERT.preset, d_embedding=0), {})


def test_defaults_are_those_of_transformers():  # authority: their config class (xxlarge)
    c = ALBERT.read_config({"vocab_size": 30000}, "nothing")
    assert c == ALBERT.read_config(transformers.AlbertConfig().to_dict(), "config.json")
    assert c == replace(ALBERT.presets["xxlarge"], vocab_size=30000)
