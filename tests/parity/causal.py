"""Checks for all decoder-only classes."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parity.classes import fields_of, logits_of
from parity.peer import IDS, KEEP, assert_close, check_both_ways, head_logits
from pellucid.formats.huggingface import PublishedModel

ORDER = KEEP.int().argsort(dim=1, stable=True)  # padding first
LEFT_IDS, LEFT_KEEP = IDS.gather(1, ORDER), KEEP.gather(1, ORDER)
PLACES = (LEFT_KEEP.cumsum(1) - 1).clamp(min=0)


def outputs(reference: Any) -> dict[str, Tensor]:
    """Return logits by head, padded on the right; a base class uses its embedding as output."""
    actual = reference(IDS, attention_mask=KEEP.long())
    if not fields_of(type(reference).__name__):
        return {"lm": (actual.last_hidden_state @ reference.get_input_embeddings().weight.T)[KEEP]}
    return logits_of(reference, actual, KEEP)


@torch.no_grad()
def check_causal(reference: Any, directory: Path) -> PublishedModel:
    """Check every head of a class, and the states of its base model."""
    published = check_both_ways(reference, directory, outputs, head_logits)
    again = type(reference).from_pretrained(directory / "exported").eval()
    for peer in (reference, again):
        states = peer.base_model(IDS, attention_mask=KEEP.long()).last_hidden_state[KEEP]
        assert_close(published.model(IDS, KEEP)[KEEP], states)
    return published
