"""PEGASUS against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from parity.encoder_decoder import SIZES, Pair
from parity.peer import (
    IDS,
    KEEP,
    assert_close,
    check_both_ways,
    check_texts,
    export_and_open,
    randomize,
    save_and_open,
    vary_weights,
)
from pellucid.decoding.search import SpecialIds
from pellucid.errors import ConfigError, VerificationError
from pellucid.formats.huggingface import open_published

PAD, END = 0, 2
CONFIG: dict[str, Any] = {
    **SIZES,
    "activation_function": "relu",
    "scale_embedding": True,
    "pad_token_id": PAD,
    "eos_token_id": END,
    "decoder_start_token_id": PAD,
    "forced_eos_token_id": None,
}
TARGET = torch.tensor([[PAD, 9, 7, 3], [PAD, 4, 6, 2], [PAD, 5, 8, 9]])
PAIR = Pair(TARGET)


def made(**changes: Any) -> Any:
    config = transformers.PegasusConfig(**{**CONFIG, **changes})
    return transformers.PegasusForConditionalGeneration(config)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scale_embedding": False, "activation_function": "gelu"},
        {"tie_word_embeddings": False},  # version 5 then ties no embedding either
    ],
    ids=str,
)
def test_the_head(changes, tmp_path):
    check_both_ways(made(**changes), tmp_path, PAIR.outputs, PAIR.compute_logits)


@torch.no_grad()
def test_the_base_class(tmp_path):
    kind = transformers.PegasusModel
    reference = randomize(kind(transformers.PegasusConfig(**CONFIG)))
    inputs: Any = {"attention_mask": KEEP.long(), "decoder_input_ids": TARGET}
    expected = reference(IDS, **inputs).last_hidden_state
    published = save_and_open(reference, tmp_path / "imported")
    assert_close(published.model(IDS, KEEP, TARGET), expected)
    again = export_and_open(published, kind, tmp_path / "exported")
    assert_close(again(IDS, **inputs).last_hidden_state, expected)


def test_other_positions_are_refused(tmp_path):
    """transformers would compute with the table of the file, and pellucid with sinusoids."""
    made().half().save_pretrained(tmp_path)
    open_published(tmp_path)  # rounded sinusoids are sinusoids
    name = "model.decoder.embed_positions.weight"
    tensors = load_file(tmp_path / "model.safetensors")
    tensors[name][7, 3] += 0.1
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(VerificationError, match=f"{name} holds other numbers"):
        open_published(tmp_path)
    del tensors[name]  # as in files of older versions
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    open_published(tmp_path)


@pytest.mark.parametrize("setting", [{"normalize_before": False}, {"normalize_embedding": True}])
def test_settings_of_other_arithmetic_are_refused(setting, tmp_path):
    made(**setting).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=next(iter(setting))):
        open_published(tmp_path)


def test_same_summaries(tmp_path):
    """From padding, which is never written, with a bias that is no constant."""
    reference = vary_weights(made(tie_word_embeddings=False), seed=1)
    reference.final_logits_bias[0, END] += 1.0
    published = save_and_open(reference, tmp_path)
    special_ids = SpecialIds(PAD, END, (PAD,))
    check_texts(published.model, reference, special_ids, bad_words_ids=[[PAD]])
