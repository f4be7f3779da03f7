"""Texts to vectors.  Authority: transformers."""

import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers

import pellucid
from pellucid.formats.open_model import open_model
from text.published.samples import wordpiece


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_vectors_are_those_of_transformers(bert, pooling):
    reference, directory = bert
    model = pellucid.load(directory, device="cpu")
    tokenizer: Any = transformers.BertTokenizer.from_pretrained(directory)
    texts = ["The dog sleeps.", "", "The old cat sat on the table because it was tired. " * 9]
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=40, return_tensors="pt")
    state, keep = reference.bert(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
    expected = {
        "mean": (state * keep).sum(1) / keep.sum(1),
        "first": state[:, 0],
        "max": state.masked_fill(keep == 0, -torch.inf).amax(1),
    }[pooling]
    actual = model.embed(texts, pooling=pooling)
    assert float((actual - expected).abs().max()) <= 1e-5
    lengths = model.embed(texts, pooling=pooling, normalize=True)
    assert float((lengths - F.normalize(expected, dim=-1)).abs().max()) <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_the_vector_of_no_text_is_the_starts(gpt2, pooling):
    """A tokenizer without special tokens; the reference gets the start token."""
    reference, directory = gpt2
    actual = pellucid.load(directory, device="cpu").embed(["", "The dog"], pooling=pooling)
    expected = reference.transformer(torch.tensor([[0]])).last_hidden_state[0, 0]
    assert float((actual[0] - expected).abs().max()) <= 1e-5
    assert bool(actual.isfinite().all())


def test_a_directory_says_how_to_pool(bert, tmp_path):
    reference, directory = bert
    wordpiece(tmp_path, tokenizer_class="BertTokenizer")
    reference.save_pretrained(tmp_path)
    kinds = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": path}
        for kind, path in kinds.items()
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 9}))
    reported = open_model(tmp_path).embedding
    assert (reported.pooling, reported.normalize, reported.longest) == ("first", True, 9)
    assert open_model(directory).embedding.pooling == "mean"
