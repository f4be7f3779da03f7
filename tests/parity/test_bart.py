"""BART against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers

from parity.classes import logits_of
from parity.encoder_decoder import SIZES
from parity.peer import (
    IDS,
    KEEP,
    assert_close,
    check_both_ways,
    export_and_open,
    randomize,
    save_and_open,
)
from pellucid.formats.huggingface import PublishedModel
from pellucid.nn.heads import pool_states

CONFIG: dict[str, Any] = {
    **SIZES,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
TARGET = torch.tensor([[2, 9, 7, 3], [2, 4, 6, 2], [2, 5, 8, 9]])
NAMES = tuple(
    f"BartFor{kind}"
    for kind in ("ConditionalGeneration", "SequenceClassification", "QuestionAnswering")
)


def shifted() -> torch.Tensor:
    """What the decoder of a classifier reads: the text, one place later."""
    return torch.cat([torch.full((len(IDS), 1), 2), IDS[:, :-1]], 1)


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    state = published.model(IDS, KEEP, TARGET if head == "lm" else shifted())
    if head == "classifier":
        return published.model.heads[head](pool_states(state, KEEP, IDS == 2, "end"))
    logits = published.model.heads[head](state)
    return logits if head == "lm" else logits[KEEP]


def outputs(reference) -> dict[str, torch.Tensor]:
    generates = type(reference).__name__.endswith("ConditionalGeneration")
    inputs = {"decoder_input_ids": TARGET} if generates else {}
    return logits_of(reference, reference(IDS, attention_mask=KEEP.long(), **inputs), KEEP)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("changes", [{}, {"scale_embedding": True, "activation_function": "relu"}])
def test_every_head(kind, changes, tmp_path):
    config = transformers.BartConfig(**CONFIG, **changes)
    check_both_ways(getattr(transformers, kind)(config), tmp_path, outputs, compute_logits)


@torch.no_grad()
def test_an_untied_model(tmp_path):
    """Version 5 then ties nothing at all: a shared table lies in the file, and no one reads it."""
    config = transformers.BartConfig(**CONFIG, tie_word_embeddings=False)
    reference = randomize(transformers.BartForConditionalGeneration(config))
    published = save_and_open(reference, tmp_path / "imported")
    assert_close(compute_logits(published, "lm"), outputs(reference)["lm"])
    again = export_and_open(published, type(reference), tmp_path / "exported")
    assert_close(outputs(again)["lm"], outputs(reference)["lm"])
