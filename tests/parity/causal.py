"""What the classes of decoders alone have in common, theirs and ours."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parity.peer import IDS, KEEP, both_ways, by_head, close, head_logits
from pellucid.formats.huggingface import PublishedModel

ORDER = KEEP.int().argsort(dim=1, stable=True)  # padding first
LEFT_IDS, LEFT_KEEP = IDS.gather(1, ORDER), KEEP.gather(1, ORDER)
PLACES = (LEFT_KEEP.cumsum(1) - 1).clamp(min=0)


def name_of(theirs: Any) -> str:
    """What we call the head of their class; "" for a base class."""
    kinds = {
        "LMHeadModel": "lm",
        "CausalLM": "lm",
        "SequenceClassification": "classifier",
        "TokenClassification": "tagger",
        "QuestionAnswering": "span",
    }
    return next((n for kind, n in kinds.items() if type(theirs).__name__.endswith(kind)), "")


def outputs(theirs: Any) -> dict[str, Tensor]:
    """Their logits by head, padded on the right; a base class generates by its embedding."""
    name = name_of(theirs)
    if not name:
        states = theirs(IDS, attention_mask=KEEP.long()).last_hidden_state
        return {"lm": (states @ theirs.get_input_embeddings().weight.T)[KEEP]}
    found = theirs(IDS, attention_mask=KEEP.long())
    return by_head(name, found)


@torch.no_grad()
def same_both_ways(theirs: Any, directory: Path) -> PublishedModel:
    """Every head of their class, and below it the states."""
    published = both_ways(theirs, directory, outputs, head_logits)
    again = type(theirs).from_pretrained(directory / "ours").eval()
    for peer in (theirs, again):
        states = peer.base_model(IDS, attention_mask=KEEP.long()).last_hidden_state[KEEP]
        close(published.model(IDS, KEEP)[KEEP], states)
    return published
