"""ELECTRA against transformers.  Authority: its classes with the same random weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers

from parity.peer import IDS, KEEP, SEGMENTS, both_ways, close, opened, randomized, returned
from pellucid.errors import ConfigError
from pellucid.families.electra import ELECTRA
from pellucid.families.huggingface import Foreign
from pellucid.nn.heads import pooled
from pellucid.nn.model import build
from pellucid.nn.weights import read_tensors

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "embedding_size": 6,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
NAMES = {
    "ElectraForPreTraining": "replaced",
    "ElectraForMaskedLM": "mlm",
    "ElectraForSequenceClassification": "classifier",
    "ElectraForTokenClassification": "tagger",
    "ElectraForQuestionAnswering": "span",
}


def ours(foreign: Foreign, head: str) -> torch.Tensor:
    state = foreign.model(IDS, KEEP, segments=SEGMENTS)
    if foreign.heads[head].kind == "sequence":
        return foreign.model.heads[head](pooled(state, KEEP, None, foreign.heads[head].pool))
    return foreign.model.heads[head](state)[KEEP]


def outputs(theirs) -> dict[str, torch.Tensor]:
    found = theirs(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS)
    name = NAMES[type(theirs).__name__]
    if name == "span":
        return {name: torch.stack([found.start_logits, found.end_logits], -1)[KEEP]}
    return {name: found.logits if name == "classifier" else found.logits[KEEP]}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("width", [6, 8, 12])
@pytest.mark.parametrize("changes", [{}, {"hidden_act": "relu", "tie_word_embeddings": False}])
def test_every_head(kind, width, changes, tmp_path):
    labels = {} if kind == "ElectraForQuestionAnswering" else {"num_labels": 3}
    config = transformers.ElectraConfig(**{**CONFIG, **labels, **changes, "embedding_size": width})
    foreign = both_ways(getattr(transformers, kind)(config), tmp_path, outputs, ours)
    assert foreign.model.config.d_embedding == (0 if width == 8 else width)


@torch.no_grad()
@pytest.mark.parametrize("width", [6, 8])
def test_base_class(width, tmp_path):
    config = transformers.ElectraConfig(**{**CONFIG, "embedding_size": width})
    theirs = randomized(transformers.ElectraModel(config))
    foreign = opened(theirs, tmp_path / "theirs")
    names = read_tensors(tmp_path / "theirs" / "model.safetensors")
    assert not any(name.startswith("electra.") for name in names)
    given = {"attention_mask": KEEP.long(), "token_type_ids": SEGMENTS}
    wanted = theirs(IDS, **given).last_hidden_state[KEEP]
    close(foreign.model(IDS, KEEP, segments=SEGMENTS)[KEEP], wanted)
    again = returned(foreign, transformers.ElectraModel, tmp_path / "ours")
    close(again(IDS, **given).last_hidden_state[KEEP], wanted)


@pytest.mark.parametrize("width", [6, 8])
def test_gradients_reach_every_parameter(width):  # authority: a weight that is used has a gradient
    heads = {head.name: head.config for found in ELECTRA.heads.values() for head in found}
    c = ELECTRA.model_config({**CONFIG, "embedding_size": width}, "CONFIG")
    model = build(c, seed=0, heads=heads)
    foreign = Foreign(ELECTRA, model, heads, "", {})
    randomized(model)
    torch.stack([ours(foreign, head).square().sum() for head in heads]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith(".k.bias"):  # the same for all keys, which softmax ignores
            assert parameter.grad.any(), name


def test_what_their_config_cannot_tell():
    with pytest.raises(ConfigError, match="no projection"):
        ELECTRA.their_config(replace(ELECTRA.preset, d_embedding=256), {})


def test_defaults_are_theirs():  # authority: their class of configs, whose own are small
    c = ELECTRA.model_config({"vocab_size": 30522}, "nothing")
    assert c == ELECTRA.model_config(transformers.ElectraConfig().to_dict(), "theirs")
    assert c == replace(ELECTRA.presets["small"], vocab_size=30522)
