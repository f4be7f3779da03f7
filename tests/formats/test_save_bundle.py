"""Finished models on disk.  Authority: transformers, on the directory; the model itself."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from parity.peer import assert_close, randomize
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError, DataError, VerificationError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.formats.open_model import open_model
from pellucid.formats.save_bundle import export_published, save_bundle
from pellucid.inference.logits import Inputs, logits
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizer

TEXTS = ["the dog sleeps", "the cat sleeps under the table", "a dog"]
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SMALL: dict[str, Any] = {"d_model": 8, "d_ff": 12, "n_heads": 2, "max_length": 40, "dropout": 0.1}
MLM = ("bert", "roberta", "distilbert", "albert")
TAGGER = HeadConfig(kind="token", outputs=len(TAGS), labels=TAGS, dropout=0.1)


def bundle_of(family: str, heads: Mapping[str, HeadConfig], task: str, **shape: Any) -> Bundle:
    """Build a random model of a family, as a task trains it from scratch."""
    tokenizer = train_tokenizer(TEXTS * 3, TokenizerConfig(kind="word", min_frequency=1))
    tokenizer = tokenizer.with_template(("bos", "A", "eos"), ("bos", "A", "eos", "B", "eos"))
    layers = {
        f"n_{side}_layers": min(2, getattr(PUBLISHED_FAMILIES[family].preset, f"n_{side}_layers"))
        for side in ("encoder", "decoder")
    }
    sizes = {**SMALL, **layers, "vocab_size": tokenizer.vocab_size, **shape}
    if family == "roberta":
        sizes["first_position"] = 1 + tokenizer.id("pad")
    c = replace(PUBLISHED_FAMILIES[family].preset, **sizes)
    model = randomize(PUBLISHED_FAMILIES[family].build(c, 1, heads))
    return Bundle(
        model=model,
        model_config=model.config,
        tokenizers=Tokenizers(tokenizer, tokenizer),
        task=task,
        roles=PUBLISHED_FAMILIES[family].roles,
        decoding=DecodingConfig(beam=3, length_norm="gnmt", batch_size=7),
        languages=("en", "") if task else ("", ""),
        longest_source=33,
        card="# A card\n",
        family=family,
    )


def head_of(family: str, kind: str) -> HeadConfig:
    """The one head of the family's class whose name ends so."""
    classes = PUBLISHED_FAMILIES[family].heads
    return classes[next(name for name in classes if name.endswith(kind))][0].config


def model_type(directory: Path) -> str:
    return json.loads((directory / "config.json").read_text())["model_type"]


@torch.no_grad()
def same(directory: Path, bundle: Bundle, head: str, auto: Any) -> Any:
    """Whether transformers gives our logits from the directory's own tokens; its model."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    reference, info = auto.from_pretrained(directory, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt")
        inner = bundle.tokenizers.source
        row = inner.add_special_tokens(inner.encode(text).ids).ids
        assert inputs["input_ids"].tolist() == [row]
        assert_close(
            logits(bundle, Inputs(torch.tensor([row])), head), reference.eval()(**inputs).logits
        )
    return reference


def assert_reopened(directory: Path, bundle: Bundle) -> None:
    """Whether opening gives the bundle that was saved."""
    again = open_model(directory)
    for name in ("model_config", "task", "roles", "decoding", "languages", "longest_source"):
        assert getattr(again, name) == getattr(bundle, name), name
    assert (again.family, again.card) == (bundle.family, bundle.card)
    assert again.model.head_configs == bundle.model.head_configs
    state = again.model.state_dict()
    assert state.keys() == bundle.model.state_dict().keys()
    assert all(torch.equal(state[k], v) for k, v in bundle.model.state_dict().items())
    ids = bundle.tokenizers.source.encode(TEXTS[0]).ids
    assert again.tokenizers.source.add_special_tokens(
        ids
    ) == bundle.tokenizers.source.add_special_tokens(ids)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "albert", "electra"])
def test_a_tagger_opens_in_transformers(family, tmp_path):
    head = replace(head_of(family, "ForTokenClassification"), outputs=len(TAGS), labels=TAGS)
    bundle = bundle_of(family, {"tagger": head}, "tagging")
    assert save_bundle(tmp_path / "m", bundle) == []
    assert model_type(tmp_path / "m") == family
    auto = transformers.AutoModelForTokenClassification
    reference = same(tmp_path / "m", bundle, "tagger", auto)
    assert reference.config.id2label == dict(enumerate(TAGS))
    assert_reopened(tmp_path / "m", bundle)


@pytest.mark.parametrize("family", MLM)
def test_a_masked_language_model_opens_in_transformers(family, tmp_path):
    bundle = bundle_of(family, {"mlm": head_of(family, "ForMaskedLM")}, "masked_lm")
    save_bundle(tmp_path / "m", bundle)
    reference = same(tmp_path / "m", bundle, "mlm", transformers.AutoModelForMaskedLM)
    assert reference.config.eos_token_id == bundle.tokenizers.source.id("eos")
    assert_reopened(tmp_path / "m", bundle)
    save_bundle(tmp_path / "m", replace(bundle, card="second"))  # a model is replaced
    assert open_model(tmp_path / "m").card == "second"
    (tmp_path / "m" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="already exists"):
        save_bundle(tmp_path / "m", bundle)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_in_the_published_layout(dtype, tmp_path):  # authority: torch's rounding
    bundle = bundle_of("bert", {"mlm": head_of("bert", "ForMaskedLM")}, "masked_lm")
    save_bundle(tmp_path / "m", bundle, dtype)
    assert model_type(tmp_path / "m") == "bert"
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    reference = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "m")
    assert reference.dtype == kind
    again = open_model(tmp_path / "m").model.state_dict()
    for name, tensor in bundle.model.state_dict().items():
        assert torch.equal(again[name], tensor.to(kind).float()), name


CRF_LIKE = replace(TAGGER, activation="tanh")  # a transform that no published tagger has


@pytest.mark.parametrize("why", ["head", "kind", "setting", "int8"])
def test_what_the_published_layout_cannot_express_keeps_our_own(why, tmp_path):
    heads = {"head": {"tagger": CRF_LIKE}, "kind": {"chunks": TAGGER}}.get(why, {"tagger": TAGGER})
    shape = {"norm": "rms"} if why == "setting" else {}
    bundle = bundle_of("bert", heads, "tagging", **shape)
    notes = save_bundle(tmp_path / "m", bundle, "int8" if why == "int8" else "fp32")
    assert bool(notes) == (why != "int8")
    assert model_type(tmp_path / "m") == "pellucid"
    if why == "int8":
        assert open_model(tmp_path / "m").family == "bert"
    else:
        assert_reopened(tmp_path / "m", bundle)
        with pytest.raises(ConfigError, match=r"own layout|has the heads"):
            export_published(tmp_path / "out", bundle)


@torch.no_grad()
def test_a_fine_tuned_model_is_saved_and_exported(tmp_path):  # authority: transformers
    config = transformers.BertConfig(vocab_size=60, hidden_size=8, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=12, pad_token_id=1)  # fmt: skip
    source: Any = randomize(transformers.BertForMaskedLM(config))
    source.save_pretrained(tmp_path / "source")
    save_and_open = open_model(tmp_path / "source")
    for parameter in save_and_open.model.parameters():
        parameter.mul_(0.9)
    save_bundle(tmp_path / "tuned", replace(save_and_open, task="masked_lm"))
    again = open_model(tmp_path / "tuned")
    assert (again.family, again.task, again.token_ids["pad_token_id"]) == ("bert", "masked_lm", 1)
    export_published(tmp_path / "out", again)
    reference: Any = transformers.BertForMaskedLM.from_pretrained(tmp_path / "out").eval()
    ids = torch.tensor([[5, 9, 7, 3, 11, 2]])
    assert_close(logits(again, Inputs(ids)), reference(ids).logits)
    assert reference.config.pad_token_id == 1


@torch.no_grad()
@pytest.mark.parametrize("kind", ["T5Model", "T5EncoderModel", "BertModel", "BartModel"])
def test_models_without_heads_are_exported_as_their_class(kind, tmp_path):
    """Authority: transformers, which finds every weight again and gives the same states."""
    base = {"vocab_size": 60, "d_model": 8, "num_layers": 2, "num_heads": 2, "d_kv": 4, "d_ff": 12}
    bert = {"vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    bart = {"vocab_size": 60, "d_model": 8, "encoder_layers": 2, "decoder_layers": 2}
    bart |= {
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "tie_word_embeddings": False,
    }
    configs = {
        "T5Model": transformers.T5Config(**base),
        "T5EncoderModel": transformers.T5Config(**base),
        "BertModel": transformers.BertConfig(**bert, intermediate_size=12),
        "BartModel": transformers.BartConfig(**bart),
    }
    cls: Any = getattr(transformers, kind)
    source = randomize(cls(configs[kind]))
    source.save_pretrained(tmp_path / "source")
    export_published(tmp_path / "out", open_model(tmp_path / "source"))
    again, info = cls.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    # A tied output makes a T5Model a generator, and it is exported as one.
    exported = {"T5Model": "T5ForConditionalGeneration"}.get(kind, kind)
    assert again.config.architectures == [exported]
    ids = torch.tensor([[5, 9, 7, 3, 11, 2]])
    inputs = {"decoder_input_ids": ids} if kind in ("T5Model", "BartModel") else {}
    assert_close(again.eval()(ids, **inputs)[0], source(ids, **inputs)[0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": 2}, VerificationError, "newer pellucid"),
        ({"format": None}, VerificationError, "is not a JSON object"),
        ({"task": 3}, ConfigError, r"pellucid\.json"),
        ({"tasks": "x"}, ConfigError, r"tasks.*did you mean|task"),
    ],
)
def test_damaged_facts_are_named(change, error, message, tmp_path):
    save_bundle(tmp_path / "m", bundle_of("bert", {"tagger": TAGGER}, "tagging"))
    path = tmp_path / "m" / "pellucid.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (tmp_path / "m" / "manifest.json").unlink()
    with pytest.raises(error, match=message):
        open_model(tmp_path / "m")
    path.unlink()  # it is then opened as any published directory
    assert open_model(tmp_path / "m").task == ""
