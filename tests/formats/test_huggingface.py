"""What files of published weights may say.  Authority: a setting or number that is not honoured is
refused by name, never dropped; numbers that are, equal transformers'."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from parity.classes import logits_of
from parity.peer import IDS, KEEP, assert_close, check_both_ways, head_logits, randomize
from pellucid.errors import ConfigError, VerificationError
from pellucid.formats.huggingface import open_published

SMALL: dict[str, Any] = {"vocab_size": 50, "hidden_size": 8, "num_attention_heads": 2}
DEEP: dict[str, Any] = {**SMALL, "num_hidden_layers": 2, "intermediate_size": 16}
NARROW: dict[str, Any] = {"vocab_size": 50, "n_embd": 8, "n_layer": 2, "n_head": 2}
QUERY = "bert.encoder.layer.0.attention.self.query.bias"


@pytest.fixture
def bert(tmp_path) -> Path:
    reference = randomize(transformers.BertForMaskedLM(transformers.BertConfig(**DEEP)))
    reference.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def update_config(directory: Path, **settings: Any) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def change(directory: Path, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = directory / "model.safetensors"
    save_file(changed(load_file(path)), path, metadata={"format": "pt"})


@pytest.mark.parametrize("name", ["BertForSomething", "RobertaForMaskedLM", "BertLMHeadModel"])
def test_an_unknown_class_is_refused(name, bert):
    update_config(bert, architectures=[name])
    with pytest.raises(
        ConfigError, match=f"{name}.*not a supported class of bert.*Supported: BertForPreTraining"
    ):
        open_published(bert)


def test_without_class_the_weights_decide(bert):
    update_config(bert, architectures=None)
    assert list(open_published(bert).heads) == ["mlm"]


@pytest.mark.parametrize("dtype", ["int8", "int64", "float8_e4m3fn"])
def test_numbers_that_are_not_weights(dtype, bert):
    change(bert, lambda actual: {k: v.to(getattr(torch, dtype)) for k, v in actual.items()})
    with pytest.raises(ConfigError, match="holds numbers of type"):
        open_published(bert)


def test_old_position_ids_are_no_weights(bert):
    ids = {"bert.embeddings.position_ids": torch.arange(512)[None]}
    change(bert, lambda actual: {**{k: v.double() for k, v in actual.items()}, **ids})
    assert {p.dtype for p in open_published(bert).model.parameters()} == {torch.float32}


def test_a_quantized_model_is_refused(bert):
    update_config(bert, quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(ConfigError, match="quantization_config"):
        open_published(bert)


def test_a_weight_that_is_no_number(bert):
    change(bert, lambda actual: {**actual, QUERY: actual[QUERY].fill_(float("nan"))})
    with pytest.raises(VerificationError, match=f"{QUERY} holds values that are not finite"):
        open_published(bert)


@torch.no_grad()
def test_the_heads_own_bias_is_added_where_two_differ(bert):
    def both(actual: dict[str, Any]) -> dict[str, Any]:
        return {**actual, "cls.predictions.decoder.bias": actual["cls.predictions.bias"] + 1}

    change(bert, both)
    reference: Any = transformers.BertForMaskedLM.from_pretrained(bert).eval()
    expected = reference(IDS, attention_mask=KEEP.long()).logits[KEEP]
    assert_close(head_logits(open_published(bert), "mlm"), expected)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Bert", DEEP),
        ("Roberta", {**DEEP, "pad_token_id": 1}),
        ("Albert", {**DEEP, "embedding_size": 6}),
        ("GPT2", {**NARROW, "n_positions": 20}),
        (
            "GPTNeo",
            {**SMALL, "num_heads": 2, "num_layers": 2, "attention_types": [[["global"], 2]]},
        ),
    ],
)
def test_a_tagger_with_one_label(name, settings, tmp_path):
    config = getattr(transformers, f"{name}Config")(**settings, num_labels=1)

    def outputs(reference: Any) -> dict[str, torch.Tensor]:
        return logits_of(reference, reference(IDS, attention_mask=KEEP.long()), KEEP)

    reference = getattr(transformers, f"{name}ForTokenClassification")(config)
    published = check_both_ways(reference, tmp_path, outputs, head_logits)
    assert published.heads["tagger"].labels == ("LABEL_0",)
