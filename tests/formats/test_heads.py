"""Heads on disk.  Authority: transformers; for our own layout the saved model, bit by bit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from nn.samples import ENCODER, randomize
from parity.peer import assert_close
from parity.peer import randomize as randomize_reference
from pellucid.config.data import TokenizerConfig
from pellucid.config.decoding import DecodingConfig, Roles
from pellucid.config.head import HeadConfig
from pellucid.errors import ConfigError
from pellucid.formats.bundle import Bundle
from pellucid.formats.import_published import import_published
from pellucid.formats.open_model import open_model
from pellucid.formats.own_layout import load_model
from pellucid.formats.save_bundle import export_published, save_bundle
from pellucid.inference.logits import Inputs, logits
from pellucid.nn.model import build
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizer

HEAD = HeadConfig(kind="token", outputs=3, labels=("O", "B-X", "I-X"), crf=True)


@pytest.fixture
def bundle():
    tokenizer = train_tokenizer(
        ["the dog"] * 3, TokenizerConfig(kind="char", vocab_size=64, min_frequency=1)
    )
    config = replace(ENCODER, vocab_size=tokenizer.vocab_size)
    model = build(config, heads={"tagger": HEAD})
    randomize(model)
    return Bundle(
        model=model.eval(),
        model_config=config,
        tokenizers=Tokenizers(tokenizer, tokenizer),
        task="tagging",
        roles=Roles(),
        decoding=DecodingConfig(),
        languages=("", ""),
        longest_source=60,
        card="",
        family="bert",
    )


def test_our_layout_keeps_a_crf(bundle, tmp_path):
    save_bundle(tmp_path / "m", bundle)
    loaded = load_model(tmp_path / "m").model
    assert loaded.head_configs == {"tagger": HEAD}
    state = loaded.state_dict()
    assert {"heads.tagger.crf.start", "heads.tagger.crf.transitions"} <= state.keys()
    assert all(torch.equal(state[name], t) for name, t in bundle.model.state_dict().items())


def test_the_published_layout_has_no_names_for_a_crf(bundle, tmp_path):
    with pytest.raises(ConfigError, match="head tagger: crf=True"):
        export_published(tmp_path / "m", bundle)
    assert not (tmp_path / "m").exists()


SIZE = {"vocab_size": 60, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
BART = {**SIZE, "d_model": 8, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 12}
BART |= {"decoder_ffn_dim": 12, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
BART |= {"max_position_embeddings": 40, "decoder_start_token_id": 2, "forced_eos_token_id": None}
T5 = {**SIZE, "d_model": 8, "num_layers": 2, "num_heads": 2, "d_kv": 4, "d_ff": 12}
GPT = {**SIZE, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 40}
BERT = {**SIZE, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
BERT |= {"intermediate_size": 12, "max_position_embeddings": 40}
IDS = torch.tensor([[0, 9, 7, 3, 11, 2], [0, 8, 4, 6, 5, 2]])
GENERATORS = {
    "BartModel": ("BartForConditionalGeneration", BART),
    "MBartModel": ("MBartForConditionalGeneration", BART),
    "M2M100Model": ("M2M100ForConditionalGeneration", BART),
    "MarianModel": ("MarianMTModel", BART),
    "PegasusModel": ("PegasusForConditionalGeneration", BART),
    "T5Model": ("T5ForConditionalGeneration", {**T5, "decoder_start_token_id": 0}),
    "MT5Model": ("MT5ForConditionalGeneration", {**T5, "decoder_start_token_id": 0}),
    "GPT2Model": ("GPT2LMHeadModel", GPT),
    "GPTNeoModel": (
        "GPTNeoForCausalLM",
        {**SIZE, "hidden_size": 8, "num_layers": 2, "num_heads": 2, "max_position_embeddings": 40}
        | {"attention_types": [[["global", "local"], 1]], "intermediate_size": 12},
    ),
    "OpenAIGPTModel": ("OpenAIGPTLMHeadModel", GPT),
    "CTRLModel": ("CTRLLMHeadModel", {**GPT, "dff": 12}),
}


def published(kind: str, settings: dict[str, Any]) -> Any:
    """A random model of a class of transformers."""
    cls: Any = getattr(transformers, kind)
    return randomize_reference(cls(cls.config_class(**settings)))


def in_one_file(directory: Path, reference: Any, **changes: Any) -> Path:
    """The model's directory, its config.json changed; a setting of None is removed."""
    reference.save_pretrained(directory)
    path = directory / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return directory


@torch.no_grad()
@pytest.mark.parametrize("base", GENERATORS)
def test_base_classes_generate_what_transformers_does(base, tmp_path):
    """Authority: transformers' class with a head, which ties the output to the embedding."""
    kind, settings = GENERATORS[base]
    directory = in_one_file(tmp_path / "base", published(base, settings))
    cls: Any = getattr(transformers, kind)
    reference = cls.from_pretrained(directory).eval()
    save_and_open = open_model(directory)
    both = save_and_open.model.encoder is not None
    inputs = Inputs(IDS, None, IDS) if both else Inputs(IDS)
    arguments = {"decoder_input_ids": IDS} if both else {}
    assert_close(logits(save_and_open, inputs), reference(IDS, **arguments).logits)
    export_published(tmp_path / "out", save_and_open)
    again, info = cls.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_close(again.eval()(IDS, **arguments).logits, reference(IDS, **arguments).logits)
    # An import keeps the class, and with it all tensors that transformers expects of it.
    import_published(directory, tmp_path / "kept")
    _, info = getattr(transformers, base).from_pretrained(
        tmp_path / "kept", output_loading_info=True
    )
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))


@pytest.mark.parametrize("base", ["BartModel", "GPT2Model"])
def test_base_classes_whose_output_is_not_tied_generate_nothing(base, tmp_path):
    settings = {**GENERATORS[base][1], "tie_word_embeddings": False}
    directory = in_one_file(tmp_path / "base", published(base, settings))
    assert not open_model(directory).model.head_configs


WITHOUT_CLASS = {
    "GPT2ForSequenceClassification": (GPT, "classifier"),
    "GPT2LMHeadModel": (GPT, "lm"),
    "CTRLForSequenceClassification": ({**GPT, "dff": 12}, "classifier"),
    "BartForSequenceClassification": (BART, "classifier"),
    "BartForQuestionAnswering": (BART, "span"),
    "BartForConditionalGeneration": (BART, "lm"),
    "T5ForSequenceClassification": ({**T5, "decoder_start_token_id": 0}, "classifier"),
    "T5ForConditionalGeneration": ({**T5, "decoder_start_token_id": 0}, "lm"),
    "BertForMaskedLM": (BERT, "mlm"),
    "BertForPreTraining": (BERT, "mlm nsp"),
    "BertForSequenceClassification": (BERT, "classifier"),
    "BertForTokenClassification": (BERT, "tagger"),
    "BertForQuestionAnswering": (BERT, "span"),
    "BertModel": (BERT, "pooled"),
}


@torch.no_grad()
@pytest.mark.parametrize("kind", WITHOUT_CLASS)
def test_without_a_class_the_weights_decide(kind, tmp_path):  # authority: who wrote the file
    settings, heads = WITHOUT_CLASS[kind]
    directory = in_one_file(tmp_path / "m", published(kind, settings), architectures=None)
    assert " ".join(open_model(directory).model.head_configs) == heads
    import_published(directory, tmp_path / "kept")
    assert json.loads((tmp_path / "kept" / "config.json").read_text())["architectures"] == [kind]


@torch.no_grad()
@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("kind", ["BertForMaskedLM", "RobertaForMaskedLM", "AlbertForMaskedLM"])
def test_masked_language_models_without_the_base_prefix(kind, tie, tmp_path):
    """Authority: the model that transformers made."""
    settings = {**BERT, "embedding_size": 8} if kind.startswith("Albert") else BERT
    reference = published(kind, {**settings, "tie_word_embeddings": tie})
    directory = in_one_file(tmp_path / "m", reference)
    path, base = directory / "model.safetensors", reference.base_model_prefix + "."
    save_file({name.removeprefix(base): t for name, t in load_file(path).items()}, path)
    assert_close(logits(open_model(directory), Inputs(IDS)), reference(IDS).logits)
