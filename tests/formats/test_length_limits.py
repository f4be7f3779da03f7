"""Length limits in generation_config.json.  Authority: generate() of transformers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from formats.small_models import GPT, SMALL, TOKENIZERS, directory_of
from parity.peer import vary_weights
from pellucid.config.decoding import DecodingConfig
from pellucid.formats.bundle import Bundle
from pellucid.formats.onnx_export import to_onnx
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import export_published, save_bundle
from pellucid.json_files import read_json

NOTE = "max_length=0: transformers has no limit relative to the source; max_length=40 is written"
END = 2
KINDS = {
    "BartForConditionalGeneration": {**SMALL, "forced_eos_token_id": None},
    "GPT2LMHeadModel": GPT,
}


def endless(kind: str, directory: Path) -> Bundle:
    """A random model of transformers that never generates the end token."""
    settings = {**KINDS[kind], "tie_word_embeddings": False}
    cls: Any = getattr(transformers, kind)
    model = vary_weights(cls(cls.config_class(**settings)))
    model.lm_head.weight.data[END] *= 0
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=1, eos_token_id=END, pad_token_id=0, suppress_tokens=[END]
    )
    if "Bart" in kind:
        model.generation_config.decoder_start_token_id = 1
    model.save_pretrained(directory)
    bundle = replace(open_model(directory), tokenizers=TOKENIZERS, task="generation")
    return replace(bundle, decoding=DecodingConfig(beam=1))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_a_relative_limit_is_written_as_the_positions(kind, tmp_path):
    bundle = endless(kind, tmp_path / "source")
    assert bundle.decoding.max_length == 0
    (note,) = export_published(tmp_path / "out", bundle)
    assert note.startswith(NOTE)
    reference: Any = getattr(transformers, kind).from_pretrained(tmp_path / "out").eval()
    ids = reference.generate(torch.tensor([[5, 9, 7, 3, 11]]))
    assert ids.shape[1] == 40  # 20 without a limit; GPT-2's includes the prompt


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_keeps_its_relative_limit(kind, tmp_path):
    bundle = endless(kind, tmp_path / "source")
    save_bundle(tmp_path / "m", bundle)
    assert (tmp_path / "m" / "pellucid.json").is_file()
    again = open_model(tmp_path / "m")
    assert again.decoding == bundle.decoding
    assert again.notes == ()
    (tmp_path / "m" / "manifest.json").unlink()
    (tmp_path / "m" / "pellucid.json").unlink()  # then the limit that transformers has applies
    if kind == "GPT2LMHeadModel":
        assert open_model(tmp_path / "m").notes == ("max_length=40 includes the prompt's tokens",)
    else:
        assert open_model(tmp_path / "m").decoding.max_length == 39


def test_a_limit_of_tokens_is_written_as_it_is(tmp_path):
    bundle = endless("GPT2LMHeadModel", tmp_path / "source")
    bundle = replace(bundle, decoding=DecodingConfig(beam=1, max_length=9))
    assert export_published(tmp_path / "out", bundle) == []
    settings = transformers.GenerationConfig.from_pretrained(tmp_path / "out")
    assert (settings.max_new_tokens, settings.max_length) == (9, None)


def test_onnx_writes_the_limit_too(tmp_path):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    notes = to_onnx(tmp_path / "out", directory_of(n_encoder_layers=1, n_decoder_layers=1))
    assert any(note.startswith(NOTE) for note in notes)
    assert read_json(tmp_path / "out" / "generation_config.json")["max_length"] == 40
