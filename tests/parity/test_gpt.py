"""GPT against transformers.  Authority: its classes with the same random weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers

from parity.causal import check_causal
from parity.peer import randomize, save_and_open
from pellucid.errors import ConfigError
from pellucid.families.gpt import GPT
from pellucid.formats.huggingface import open_published

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "n_positions": 20,
    "n_embd": 8,
    "n_layer": 2,
    "n_head": 2,
    "layer_norm_epsilon": 1e-3,  # a wrong one is seen
    "pad_token_id": 1,
}


@pytest.mark.parametrize("kind", ["LMHeadModel", "ForSequenceClassification", "Model"])
@pytest.mark.parametrize("changes", [{}, {"afn": "silu", "num_labels": 3}])
def test_every_head(kind, changes, tmp_path):
    config = transformers.OpenAIGPTConfig(**CONFIG, **changes)
    check_causal(getattr(transformers, f"OpenAIGPT{kind}")(config), tmp_path)


def test_old_files_without_prefix_and_with_buffers(tmp_path):  # authority: the new file's numbers
    reference = randomize(transformers.OpenAIGPTModel(transformers.OpenAIGPTConfig(**CONFIG)))
    new = save_and_open(reference, tmp_path / "new").model
    state = reference.state_dict()
    state["h.0.attn.bias"] = torch.ones(1, 1, 20, 20).tril()
    reference.save_pretrained(tmp_path / "old", state_dict=state)
    old = open_published(tmp_path / "old").model
    ids = torch.tensor([[5, 9, 7]])
    assert torch.equal(old(ids), new(ids))


def test_other_feed_forwards_are_not_written():  # authority: their config has no such setting
    with pytest.raises(ConfigError, match=r"d_ff=1024 \(not 3072\)"):
        GPT.write_config(replace(GPT.preset, d_ff=1024), {})
