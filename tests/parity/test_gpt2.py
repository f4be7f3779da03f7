"""GPT-2 against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers

from parity.peer import IDS, KEEP, both_ways
from pellucid.families.huggingface import Foreign
from pellucid.nn.heads import pooled

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "n_positions": 20,
    "n_embd": 8,
    "n_layer": 2,
    "n_head": 2,
}
NAMES = {
    "GPT2LMHeadModel": "lm",
    "GPT2ForSequenceClassification": "classifier",
    "GPT2ForTokenClassification": "tagger",
    "GPT2ForQuestionAnswering": "span",
}


def ours(foreign: Foreign, head: str) -> torch.Tensor:
    state = foreign.model(IDS, KEEP)
    if head == "classifier":
        return foreign.model.heads[head](pooled(state, KEEP, None, "last"))
    return foreign.model.heads[head](state)[KEEP]


def outputs(theirs) -> dict[str, torch.Tensor]:
    found = theirs(IDS, attention_mask=KEEP.long())
    name = NAMES[type(theirs).__name__]
    if name == "span":
        return {name: torch.stack([found.start_logits, found.end_logits], -1)[KEEP]}
    return {name: found.logits if name == "classifier" else found.logits[KEEP]}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("changes", [{}, {"n_inner": 12, "scale_attn_weights": False}])
def test_every_head(kind, changes, tmp_path):
    settings = {**CONFIG, **changes, "pad_token_id": 1, "num_labels": 2}
    config = transformers.GPT2Config(**settings)
    both_ways(getattr(transformers, kind)(config), tmp_path, outputs, ours)
