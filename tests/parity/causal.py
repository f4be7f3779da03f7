"""What the classes of decoders alone have in common, theirs and ours."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parity.classes import fields_of, logits_of
from parity.peer import IDS, KEEP, both_ways, close, head_logits
from pellucid.formats.huggingface import PublishedModel

ORDER = KEEP.int().argsort(dim=1, stable=True)  # padding first
LEFT_IDS, LEFT_KEEP = IDS.gather(1, ORDER), KEEP.gather(1, ORDER)
PLACES = (LEFT_KEEP.cumsum(1) - 1).clamp(min=0)


def outputs(theirs: Any) -> dict[str, Tensor]:
    """Their logits by head, padded on the right; a base class generates by its embedding."""
    found = theirs(IDS, attention_mask=KEEP.long())
    if not fields_of(type(theirs).__name__):
        return {"lm": (found.last_hidden_state @ theirs.get_input_embeddings().weight.T)[KEEP]}
    return logits_of(theirs, found, KEEP)


@torch.no_grad()
def same_both_ways(theirs: Any, directory: Path) -> PublishedModel:
    """Every head of their class, and below it the states."""
    published = both_ways(theirs, directory, outputs, head_logits)
    again = type(theirs).from_pretrained(directory / "ours").eval()
    for peer in (theirs, again):
        states = peer.base_model(IDS, attention_mask=KEEP.long()).last_hidden_state[KEEP]
        close(published.model(IDS, KEEP)[KEEP], states)
    return published
