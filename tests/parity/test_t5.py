"""T5 and mT5 against transformers.  Authority: its classes with the same random weights."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from parity.classes import logits_of
from parity.peer import (
    IDS,
    KEEP,
    assert_close,
    check_both_ways,
    check_states,
    export_and_open,
    randomize,
)
from pellucid.families.t5 import T5
from pellucid.formats.huggingface import PublishedModel, open_published
from pellucid.nn.heads import pool_states

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


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    return published.model.heads[head](published.model(IDS, KEEP, TARGET))


def outputs(reference) -> dict[str, torch.Tensor]:
    actual = reference(IDS, attention_mask=KEEP.long(), decoder_input_ids=TARGET)
    return logits_of(reference, actual, KEEP)


@pytest.mark.parametrize("kind", ["relu", "gelu", "gated-gelu", "gated-silu"])
@pytest.mark.parametrize("tied", [True, False])
def test_both_versions(kind, tied, tmp_path):
    settings = {**CONFIG, "feed_forward_proj": kind, "tie_word_embeddings": tied}
    config = transformers.T5Config(**settings)
    check_both_ways(
        transformers.T5ForConditionalGeneration(config), tmp_path, outputs, compute_logits
    )


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
def test_mt5_never_scales_the_states(kind, tmp_path):
    config = transformers.MT5Config(**CONFIG, feed_forward_proj=kind)
    reference = transformers.MT5ForConditionalGeneration(config)
    published = check_both_ways(reference, tmp_path, outputs, compute_logits)
    assert published.model.config.tie_embeddings == "all"


@torch.no_grad()
def test_an_output_of_its_own(tmp_path):
    """As in the published mT5; the defaults of config.json are those of its class."""
    reference = randomize(
        transformers.MT5ForConditionalGeneration(transformers.MT5Config(**CONFIG))
    )
    reference.save_pretrained(tmp_path / "tied")
    config = json.loads((tmp_path / "tied" / "config.json").read_text())
    del config["feed_forward_proj"]
    (tmp_path / "tied" / "config.json").write_text(json.dumps(config))
    tensors = load_file(tmp_path / "tied" / "model.safetensors")
    tensors["lm_head.weight"] = tensors["shared.weight"].flip(0).clone()
    save_file(tensors, tmp_path / "tied" / "model.safetensors", metadata={"format": "pt"})
    kind: Any = transformers.MT5ForConditionalGeneration
    expected = outputs(kind.from_pretrained(tmp_path / "tied").eval())["lm"]
    assert float((expected - outputs(reference)["lm"]).abs().max()) > 0.1, "the output is tied"
    published = open_published(tmp_path / "tied")
    assert published.model.config.tie_embeddings == "inputs"
    assert_close(compute_logits(published, "lm"), expected)
    again = export_and_open(published, kind, tmp_path / "exported")
    assert_close(outputs(again)["lm"], expected)


HEADS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
IDS_OF: dict[str, Any] = {"pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0}


def labels(published: PublishedModel, head: str) -> torch.Tensor:
    if head == "tagger":
        return published.model.heads[head](published.model(IDS, KEEP))[KEEP]
    again = torch.cat([torch.zeros_like(IDS[:, :1]), IDS[:, :-1]], 1)  # the text, one place later
    states = published.model(IDS, KEEP, again)
    if head == "classifier":
        return published.model.heads[head](pool_states(states, KEEP, IDS == 2, "end"))
    return published.model.heads[head](states)[KEEP]


def their_labels(reference) -> dict[str, torch.Tensor]:
    return logits_of(reference, reference(IDS, attention_mask=KEEP.long()), KEEP)


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(
    ("family", "feed_forward"), [("T5", "relu"), ("T5", "gated-gelu"), ("MT5", "gated-gelu")]
)
def test_heads_of_fine_tuning(family, kind, feed_forward, tmp_path):
    n = 2 if kind == "ForQuestionAnswering" else 3
    settings: dict[str, Any] = {
        **CONFIG,
        **IDS_OF,
        "feed_forward_proj": feed_forward,
        "num_labels": n,
    }
    config = getattr(transformers, f"{family}Config")(**settings)
    reference = getattr(transformers, f"{family}{kind}")(config)
    published = check_both_ways(reference, tmp_path, their_labels, labels)
    assert published.model.config.n_decoder_layers == (0 if "Token" in kind else 3)


@pytest.mark.parametrize("family", ["T5", "MT5"])
def test_the_encoder_alone(family, tmp_path):
    config = getattr(transformers, f"{family}Config")(**CONFIG, **IDS_OF)
    reference = getattr(transformers, f"{family}EncoderModel")(config)
    check_states(reference, "transformer.", tmp_path)


def test_initial_weights_are_no_part_of_a_config():  # authority: the weights have it
    started = replace(T5.preset, neighbor_heads=True)
    assert T5.write_config(started, {}) == T5.write_config(T5.preset, {})
