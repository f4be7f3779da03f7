"""DistilBERT against transformers.  Authority: its classes with the same random weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers

from parity.peer import IDS, KEEP, both_ways, close, opened, randomized, returned
from pellucid.errors import ConfigError
from pellucid.families.distilbert import DISTILBERT
from pellucid.families.huggingface import Foreign
from pellucid.nn.heads import pooled
from pellucid.nn.model import build
from pellucid.nn.weights import read_tensors

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "dim": 8,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 16,
    "max_position_embeddings": 20,
}
NAMES = {
    "DistilBertForMaskedLM": "mlm",
    "DistilBertForSequenceClassification": "classifier",
    "DistilBertForTokenClassification": "tagger",
    "DistilBertForQuestionAnswering": "span",
}


def ours(foreign: Foreign, head: str) -> torch.Tensor:
    state = foreign.model(IDS, KEEP)
    if foreign.heads[head].kind == "sequence":
        return foreign.model.heads[head](pooled(state, KEEP, None, foreign.heads[head].pool))
    return foreign.model.heads[head](state)[KEEP]


def outputs(theirs) -> dict[str, torch.Tensor]:
    found = theirs(IDS, attention_mask=KEEP.long())
    name = NAMES[type(theirs).__name__]
    if name == "span":
        return {name: torch.stack([found.start_logits, found.end_logits], -1)[KEEP]}
    return {name: found.logits if name == "classifier" else found.logits[KEEP]}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "changes",
    [{}, {"activation": "relu", "sinusoidal_pos_embds": True}, {"tie_word_embeddings": False}],
)
def test_every_head(kind, changes, tmp_path):
    labels = {} if kind == "DistilBertForQuestionAnswering" else {"num_labels": 3}
    config = transformers.DistilBertConfig(**{**CONFIG, **labels, **changes})
    both_ways(getattr(transformers, kind)(config), tmp_path, outputs, ours)


@torch.no_grad()
def test_base_class(tmp_path):
    theirs = randomized(transformers.DistilBertModel(transformers.DistilBertConfig(**CONFIG)))
    foreign = opened(theirs, tmp_path / "theirs")
    names = read_tensors(tmp_path / "theirs" / "model.safetensors")
    assert not any(name.startswith("distilbert.") for name in names)
    wanted = theirs(IDS, attention_mask=KEEP.long()).last_hidden_state[KEEP]
    close(foreign.model(IDS, KEEP)[KEEP], wanted)
    again = returned(foreign, transformers.DistilBertModel, tmp_path / "ours")
    close(again(IDS, attention_mask=KEEP.long()).last_hidden_state[KEEP], wanted)


def test_gradients_reach_every_parameter():  # authority: a weight that is used has a gradient
    heads = {head.name: head.config for found in DISTILBERT.heads.values() for head in found}
    model = build(DISTILBERT.model_config(CONFIG, "CONFIG"), seed=0, heads=heads)
    foreign = Foreign(DISTILBERT, model, heads, "", {})
    randomized(model)
    torch.stack([ours(foreign, head).square().sum() for head in heads]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith(".k.bias"):  # the same for all keys, which softmax ignores
            assert parameter.grad.any(), name


@pytest.mark.parametrize("changes", [{"norm_eps": 1e-5}, {"n_segments": 2}])
def test_what_their_config_cannot_tell(changes):
    with pytest.raises(ConfigError, match="DistilBERT has"):
        DISTILBERT.their_config(replace(DISTILBERT.preset, **changes), {})


def test_defaults_are_theirs():  # authority: their class of configs, whose own are base
    c = DISTILBERT.model_config({"vocab_size": 30522}, "nothing")
    assert c == DISTILBERT.model_config(transformers.DistilBertConfig().to_dict(), "theirs")
    assert c == replace(DISTILBERT.presets["base"], vocab_size=30522)
