"""GPT-2 against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import transformers

from parity.causal import check_causal

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "n_positions": 20,
    "n_embd": 8,
    "n_layer": 2,
    "n_head": 2,
}
KINDS = (
    "LMHeadModel",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{}, {"n_inner": 12, "scale_attn_weights": False}])
def test_every_head(kind, changes, tmp_path):
    settings = {**CONFIG, **changes, "pad_token_id": 1, "num_labels": 2}
    config = transformers.GPT2Config(**settings)
    check_causal(getattr(transformers, f"GPT2{kind}")(config), tmp_path)
