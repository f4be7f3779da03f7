"""BERT against transformers.  Authority: its classes with the same random weights."""

from typing import Any

import pytest
import torch
import transformers

from parity.classes import logits_of
from parity.peer import (
    IDS,
    KEEP,
    SEGMENTS,
    check_both_ways,
    head_logits,
)
from pellucid.formats.huggingface import PublishedModel

SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}


def compute_logits(published: PublishedModel, head: str) -> torch.Tensor:
    return head_logits(published, head, SEGMENTS)


def outputs(reference) -> dict[str, torch.Tensor]:
    actual = reference(IDS, attention_mask=KEEP.long(), token_type_ids=SEGMENTS)
    return logits_of(reference, actual, KEEP)


@pytest.mark.parametrize(
    "kind",
    [
        "PreTraining",
        "MaskedLM",
        "NextSentencePrediction",
        "SequenceClassification",
        "TokenClassification",
        "QuestionAnswering",
        "Model",
    ],
)
def test_every_head(kind, tmp_path):
    cls = getattr(transformers, f"Bert{'' if kind == 'Model' else 'For'}{kind}")
    labels: dict[str, Any] = (
        {} if kind in ("NextSentencePrediction", "QuestionAnswering") else {"num_labels": 3}
    )
    reference = cls(transformers.BertConfig(**SMALL, **labels))
    check_both_ways(reference, tmp_path, outputs, compute_logits)
