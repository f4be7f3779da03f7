"""T5 against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers

from parity.classes import logits_of
from parity.peer import IDS, KEEP, check_both_ways, check_states
from pellucid.formats.huggingface import PublishedModel
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


HEADS = ("T5ForSequenceClassification", "T5ForTokenClassification", "T5ForQuestionAnswering")
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
@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
def test_heads_of_fine_tuning(kind, feed_forward, tmp_path):
    n = 2 if kind == "T5ForQuestionAnswering" else 3
    settings: dict[str, Any] = {
        **CONFIG,
        **IDS_OF,
        "feed_forward_proj": feed_forward,
        "num_labels": n,
    }
    reference = getattr(transformers, kind)(transformers.T5Config(**settings))
    published = check_both_ways(reference, tmp_path, their_labels, labels)
    assert published.model.config.n_decoder_layers == (0 if "Token" in kind else 3)


def test_the_encoder_alone(tmp_path):
    config = transformers.T5Config(**CONFIG, **IDS_OF)
    check_states(transformers.T5EncoderModel(config), "transformer.", tmp_path)
