"""T5 against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers

from parity.peer import IDS, KEEP, both_ways
from pellucid.families.huggingface import Foreign

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "d_model": 8,
    "d_kv": 6,
    "d_ff": 16,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 10,
}
TARGET = torch.randint(2, 50, (3, 14), generator=torch.Generator().manual_seed(0))


def ours(foreign: Foreign, head: str) -> torch.Tensor:
    return foreign.model.heads[head](foreign.model(IDS, KEEP, TARGET))


def outputs(theirs) -> dict[str, torch.Tensor]:
    return {"lm": theirs(IDS, attention_mask=KEEP.long(), decoder_input_ids=TARGET).logits}


@pytest.mark.parametrize("kind", ["relu", "gelu", "gated-gelu", "gated-silu"])
@pytest.mark.parametrize("tied", [True, False])
def test_both_versions(kind, tied, tmp_path):
    settings = {**CONFIG, "feed_forward_proj": kind, "tie_word_embeddings": tied}
    config = transformers.T5Config(**settings)
    both_ways(transformers.T5ForConditionalGeneration(config), tmp_path, outputs, ours)
