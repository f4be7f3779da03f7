"""Marian against transformers.  Authority: its classes with the same random weights."""

import json
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
    randomize,
    save_and_open,
    vary_weights,
)
from pellucid.decoding.search import SpecialIds
from pellucid.errors import ConfigError
from pellucid.formats.huggingface import open_published, write_published

PAD, END = 1, 2
CONFIG: dict[str, Any] = {
    **SIZES,
    "activation_function": "swish",
    "scale_embedding": True,
    "pad_token_id": PAD,
    "eos_token_id": END,
    "decoder_start_token_id": PAD,
    "forced_eos_token_id": None,
}
TARGET = torch.tensor([[PAD, 9, 7, 3], [PAD, 4, 6, 2], [PAD, 5, 8, 9]])
PAIR = Pair(TARGET)
VOCABULARIES: dict[str, dict[str, Any]] = {
    "shared": {},
    "separate": {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 30},
    "separate, equal": {"share_encoder_decoder_embeddings": False},
    "separate, untied": {
        "share_encoder_decoder_embeddings": False,
        "decoder_vocab_size": 30,
        "tie_word_embeddings": False,
    },
    # Version 5 then ties nothing at all: the shared table lies in the file, and no one reads it.
    "shared, untied": {"tie_word_embeddings": False},
}


def made(**changes: Any) -> Any:
    return transformers.MarianMTModel(transformers.MarianConfig(**{**CONFIG, **changes}))


@pytest.mark.parametrize("vocabularies", VOCABULARIES.values(), ids=VOCABULARIES)
def test_every_vocabulary(vocabularies, tmp_path):
    check_both_ways(made(**vocabularies), tmp_path, PAIR.outputs, PAIR.compute_logits)


def test_settings_of_a_bare_config(tmp_path):
    check_both_ways(
        made(scale_embedding=False, activation_function="gelu"),
        tmp_path,
        PAIR.outputs,
        PAIR.compute_logits,
    )


@torch.no_grad()
@pytest.mark.parametrize("vocabularies", ["shared", "separate"])
def test_the_base_class(vocabularies, tmp_path):
    config = transformers.MarianConfig(**CONFIG, **VOCABULARIES[vocabularies])
    reference = randomize(transformers.MarianModel(config))
    expected = reference(
        IDS, attention_mask=KEEP.long(), decoder_input_ids=TARGET
    ).last_hidden_state
    published = save_and_open(reference, tmp_path / "imported")
    assert_close(published.model(IDS, KEEP, TARGET), expected)
    (tmp_path / "exported").mkdir()
    write_published(tmp_path / "exported", published)
    kind: Any = transformers.MarianModel
    again, info = kind.from_pretrained(tmp_path / "exported", output_loading_info=True)
    # They look for sinusoids in files of this class alone, and compute them where there are none.
    assert all("embed_positions" in name for name in info["missing_keys"])
    assert not info["unexpected_keys"]
    actual = again.eval()(
        IDS, attention_mask=KEEP.long(), decoder_input_ids=TARGET
    ).last_hidden_state
    assert_close(actual, expected)


@torch.no_grad()
def test_files_of_older_versions(tmp_path):
    """They hold the sinusoids, every alias, and one table where the output is a matrix apart."""
    reference = randomize(made())
    reference.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    shared = tensors["model.shared.weight"]
    for side in ("encoder", "decoder"):
        tensors[f"model.{side}.embed_tokens.weight"] = shared.clone()
        tensors[f"model.{side}.embed_positions.weight"] = torch.zeros(40, 8)
    tensors["lm_head.weight"] = shared.clone()
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_close(PAIR.compute_logits(open_published(tmp_path), "lm"), PAIR.outputs(reference)["lm"])
    for side in ("encoder", "decoder"):
        del tensors[f"model.{side}.embed_tokens.weight"]
    tensors["lm_head.weight"] += 0.1
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    reference.lm_head.weight = torch.nn.Parameter(tensors["lm_head.weight"])
    assert_close(PAIR.compute_logits(open_published(tmp_path), "lm"), PAIR.outputs(reference)["lm"])


def test_same_translations(tmp_path):
    """From padding, which is never written, with a bias that is no constant."""
    reference = vary_weights(made(tie_word_embeddings=False), seed=1)
    reference.final_logits_bias[0, END] += 4.0
    published = save_and_open(reference, tmp_path)
    roles = published.family.roles
    ids = {role: published.token_ids[f"{role}_token_id"] for role in ("pad", "eos")}
    special_ids = SpecialIds(ids[roles.start], ids[roles.end], tuple(ids[r] for r in roles.banned))
    check_texts(published.model, reference, special_ids, bad_words_ids=[[PAD]])


def test_stacks_of_different_shape_are_refused(tmp_path):
    made(decoder_ffn_dim=32).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="decoder_ffn_dim=32"):
        open_published(tmp_path)
