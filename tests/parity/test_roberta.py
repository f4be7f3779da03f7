"""RoBERTa, XLM-RoBERTa and CamemBERT against transformers.

Authority: its classes with the same random weights.
"""

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
    export_and_open,
    gradients_reach_all,
    head_logits,
    randomize,
    save_and_open,
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
CLASSES = (
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "Model",
)


def segments(published: PublishedModel) -> torch.Tensor | None:
    return SEGMENTS if published.model.config.n_segments > 1 else None


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    return head_logits(published, head, segments(published))


def outputs(reference) -> dict[str, torch.Tensor]:
    inputs = {"token_type_ids": SEGMENTS} if reference.config.type_vocab_size > 1 else {}
    return logits_of(reference, reference(IDS, attention_mask=KEEP.long(), **inputs), KEEP)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("family", ["Roberta", "XLMRoberta", "Camembert"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type_vocab_size": 2, "hidden_act": "relu", "layer_norm_eps": 1e-2},
    ],
)
def test_every_head(family, kind, changes, tmp_path):
    labels = {} if kind == "ForQuestionAnswering" else {"num_labels": 3}
    config = getattr(transformers, f"{family}Config")(**{**CONFIG, **labels, **changes})
    reference = getattr(transformers, f"{family}{kind}")(config)
    check_both_ways(reference, tmp_path, outputs, compute_logits)


@torch.no_grad()
@pytest.mark.parametrize("pad", [0, 1, 13])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_has_no_position(pad, side, tmp_path):
    config = transformers.RobertaConfig(
        **{**CONFIG, "max_position_embeddings": 20, "pad_token_id": pad}
    )
    reference = randomize(transformers.RobertaModel(config))
    keep = KEEP.flip(1) if side == "left" else KEEP
    ids = torch.full_like(IDS, pad).masked_scatter(keep, IDS[KEEP])
    published = save_and_open(reference, tmp_path / "imported")
    assert published.model.config.max_length == 20 - pad - 1
    expected = reference(ids, attention_mask=keep.long()).last_hidden_state[keep]
    assert_close(published.model(ids, keep)[keep], expected)
    untold = replace(published, token_ids={})  # as if no file had a padding id
    again = export_and_open(untold, transformers.RobertaModel, tmp_path / "exported")
    assert_close(again(ids, attention_mask=keep.long()).last_hidden_state[keep], expected)


@torch.no_grad()
def test_longest_text(tmp_path):
    reference = randomize(transformers.RobertaModel(transformers.RobertaConfig(**CONFIG)))
    published = save_and_open(reference, tmp_path)
    ids = torch.arange(2, 2 + published.model.config.max_length)[None]
    assert ids.shape[1] == 8  # of 10 rows, the padding's and the one before it hold no position
    assert_close(published.model(ids), reference(ids).last_hidden_state)


def test_base_class(tmp_path):
    reference = transformers.RobertaModel(transformers.RobertaConfig(**CONFIG))
    check_states(reference, "roberta.", tmp_path)


def test_gradients_reach_every_parameter():  # authority: a weight that is used has a gradient
    gradients_reach_all(ROBERTA, CONFIG)
