"""CTRL against transformers.  Authority: its classes with the same random weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from parity.causal import check_causal
from parity.peer import assert_close, randomize, save_and_open
from pellucid.errors import ConfigError, VerificationError
from pellucid.families.ctrl import CTRL
from pellucid.formats.huggingface import open_published

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "n_positions": 300,
    "n_embd": 8,
    "dff": 12,
    "n_layer": 2,
    "n_head": 2,
    "pad_token_id": 1,
}


@pytest.mark.parametrize("kind", ["LMHeadModel", "ForSequenceClassification", "Model"])
def test_every_head(kind, tmp_path):
    check_causal(getattr(transformers, f"CTRL{kind}")(transformers.CTRLConfig(**CONFIG)), tmp_path)


@torch.no_grad()
def test_eps(tmp_path):
    reference = randomize(transformers.CTRLModel(transformers.CTRLConfig(**CONFIG)))
    # A token that all but cancels its position: of so short a vector a norm's eps is a large part.
    reference.w.weight[7] = 0.01 * reference.w.weight[7] - reference.pos_encoding[0] / 8**0.5
    ids = torch.tensor([[7]])
    assert_close(save_and_open(reference, tmp_path).model(ids), reference(ids).last_hidden_state)


@torch.no_grad()
def test_far_positions(tmp_path):
    reference = randomize(transformers.CTRLModel(transformers.CTRLConfig(**CONFIG)))
    ids = torch.arange(300)[None] % 50
    # transformers computes the sines of float32 angles, which are up to 1.5e-5 off at 300.
    published = save_and_open(reference, tmp_path)
    table = published.model.decoder.embedding.positions(slice(0, 300), reference.w.weight)
    assert (table - reference.pos_encoding).abs().max() <= 2e-5
    reference.pos_encoding = table
    assert_close(published.model(ids), reference(ids).last_hidden_state)


def test_an_eps_that_only_the_last_norm_would_obey(tmp_path):  # authority: their source
    transformers.CTRLModel(
        transformers.CTRLConfig(**CONFIG, layer_norm_epsilon=1e-5)
    ).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="layer_norm_epsilon"):
        open_published(tmp_path)
    with pytest.raises(ConfigError, match="norm_eps"):
        CTRL.write_config(replace(CTRL.preset, norm_eps=1e-5), {})


def test_the_outputs_bias_may_not_be_missing(tmp_path):
    reference = transformers.CTRLLMHeadModel(transformers.CTRLConfig(**CONFIG))
    reference.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["lm_head.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(VerificationError, match=r"lm_head\.bias is missing"):
        open_published(tmp_path)
