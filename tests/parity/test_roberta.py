"""RoBERTa against transformers.  Authority: its classes with the same random weights."""

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
    both_ways,
    close,
    gradients_reach_all,
    head_logits,
    opened,
    randomized,
    returned,
    same_states,
)
from pellucid.families.roberta import ROBERTA
from pellucid.formats.huggingface import PublishedModel

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 10,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}
NAMES = (
    "RobertaForMaskedLM",
    "RobertaForSequenceClassification",
    "RobertaForTokenClassification",
    "RobertaForQuestionAnswering",
    "RobertaModel",
)


def segments(published: PublishedModel) -> torch.Tensor | None:
    return SEGMENTS if published.model.config.n_segments > 1 else None


def ours(published: PublishedModel, head: str) -> torch.Tensor:
    return head_logits(published, head, segments(published))


def outputs(theirs) -> dict[str, torch.Tensor]:
    given = {"token_type_ids": SEGMENTS} if theirs.config.type_vocab_size > 1 else {}
    return logits_of(theirs, theirs(IDS, attention_mask=KEEP.long(), **given), KEEP)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type_vocab_size": 2, "hidden_act": "relu", "layer_norm_eps": 1e-2},
    ],
)
def test_every_head(kind, changes, tmp_path):
    labels = {} if kind == "RobertaForQuestionAnswering" else {"num_labels": 3}
    config = transformers.RobertaConfig(**{**CONFIG, **labels, **changes})
    both_ways(getattr(transformers, kind)(config), tmp_path, outputs, ours)


@torch.no_grad()
@pytest.mark.parametrize("pad", [0, 1, 13])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_has_no_position(pad, side, tmp_path):
    config = transformers.RobertaConfig(
        **{**CONFIG, "max_position_embeddings": 20, "pad_token_id": pad}
    )
    theirs = randomized(transformers.RobertaModel(config))
    keep = KEEP.flip(1) if side == "left" else KEEP
    ids = torch.full_like(IDS, pad).masked_scatter(keep, IDS[KEEP])
    published = opened(theirs, tmp_path / "theirs")
    assert published.model.config.max_length == 20 - pad - 1
    wanted = theirs(ids, attention_mask=keep.long()).last_hidden_state[keep]
    close(published.model(ids, keep)[keep], wanted)
    untold = replace(published, token_ids={})  # as one that no file told of its padding
    again = returned(untold, transformers.RobertaModel, tmp_path / "ours")
    close(again(ids, attention_mask=keep.long()).last_hidden_state[keep], wanted)


@torch.no_grad()
def test_longest_text(tmp_path):
    theirs = randomized(transformers.RobertaModel(transformers.RobertaConfig(**CONFIG)))
    published = opened(theirs, tmp_path)
    ids = torch.arange(2, 2 + published.model.config.max_length)[None]
    assert ids.shape[1] == 8  # of 10 rows, the padding's and the one before it hold no position
    close(published.model(ids), theirs(ids).last_hidden_state)


def test_base_class(tmp_path):
    theirs = transformers.RobertaModel(transformers.RobertaConfig(**CONFIG))
    same_states(theirs, "roberta.", tmp_path)


def test_gradients_reach_every_parameter():  # authority: a weight that is used has a gradient
    gradients_reach_all(ROBERTA, CONFIG)
