"""A recurrent model through the real pipeline: it learns, it goes on, it is saved and opened."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pellucid
from nn import recurrent
from nn.samples import batch
from pellucid import garden
from pellucid.cli.info import describe_model
from pellucid.cli.translate import Options, translator
from pellucid.config.read import merge
from pellucid.config.rnn import RNNConfig
from pellucid.errors import ConfigError, UsageError, VerificationError
from pellucid.families.rnn import RNN
from pellucid.files import publish
from pellucid.formats.own_layout import load_model
from pellucid.formats.save_bundle import export_published, save_bundle
from pellucid.inference.score import score
from pellucid.json_files import dump_json
from pellucid.nn.model import build
from pellucid.nn.rnn import RecurrentTranslator
from pellucid.training.defaults import RunContext, complete_settings
from pellucid.training.pipeline import train

SETTINGS = {
    "size": "rnn",
    "device": "cpu",
    "tokenizer": {"kind": "word", "vocab_size": 400, "min_frequency": 1},
    "model": {"d_model": 32, "dropout": 0.0},
    "objective": {"label_smoothing": 0.0},
    "training": {
        "max_updates": 100,
        "max_tokens": 2000,
        "rate": 0.02,
        "warmup": 20,
        "validate_every": 100,
        "checkpoint_every": 100,
        "average": 1,
        "precision": "fp32",
        "threads": 1,
    },
}
KINDS = [
    ("gru", "additive", False),
    ("lstm", "dot", False),
    ("gru", "none", False),
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.en-de.tsv"
    lines = [f"{source}\t{target}\n" for source, target in garden.pairs(32, "en", "de")]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def settings(pairs, run_dir, over):
    data = {"train": [pairs], "valid": [pairs]}
    return merge(merge(SETTINGS, {"run_dir": str(run_dir), "data": data}), over)


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    """A run that has memorized its training pairs, with input feeding."""
    path = tmp_path_factory.mktemp("run")
    train(settings(pairs, path, {"model": {"input_feeding": True}}))
    return path


@pytest.mark.parametrize(("cell", "attention", "feeding"), KINDS)
def test_learns_by_heart(pairs, tmp_path, cell, attention, feeding):
    # Authority: a loss near zero is not to be had by luck.
    kind = {"cell": cell, "attention": attention, "input_feeding": feeding}
    train(settings(pairs, tmp_path, {"model": kind}))
    figures = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert figures[-1]["valid_loss"] < 0.05
    model = pellucid.load(tmp_path)
    assert isinstance(model.model, RecurrentTranslator)
    silent = [name for name, p in model.model.named_parameters() if not p.any()]
    assert not silent, "these were never moved from zero"


def test_the_gradient_reaches_every_parameter():  # authority: the chain rule
    for cell, attention, feeding in recurrent.KINDS:
        c = replace(recurrent.SMALL, cell=cell, attention=attention, input_feeding=feeding)
        model = recurrent.random_translator(c)
        source, keep, target = batch()
        model.heads["lm"](model(source, keep, target)).square().sum().backward()
        for name, p in model.named_parameters():
            assert p.grad is not None, name
            assert bool(p.grad.any()), name


def test_a_resumed_run_equals_an_uninterrupted_one(pairs, tmp_path):  # authority: a whole run
    often = {"model": {"dropout": 0.3}, "training": {"max_tokens": 200, "checkpoint_every": 3}}
    often["training"] |= {"max_updates": 9, "validate_every": 9, "keep": 9}
    train(settings(pairs, tmp_path / "whole", often))
    train(settings(pairs, tmp_path / "parts", merge(often, {"training": {"max_updates": 6}})))
    train(settings(pairs, tmp_path / "parts", often))
    for name in ("weights", "optimizer"):
        one, other = (
            load_file(tmp_path / run / f"checkpoints/step-00000009/{name}.safetensors")
            for run in ("whole", "parts")
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_finished_model_translates_scores_and_aligns(trained, pairs):
    # Authority: the pairs it has memorized; its validation on the same pairs.
    model = pellucid.load(trained)
    lines = Path(pairs).read_text(encoding="utf-8").rstrip("\n").split("\n")
    learned = [line.split("\t") for line in lines]
    actual = model.translate([source for source, _ in learned], beam=3)
    right = sum(t.text == target for t, (_, target) in zip(actual, learned, strict=True))
    assert right >= 31
    for t in actual:
        assert [target for _, target in t.alignment] == list(range(len(t.tokens)))
    probable = score(model.bundle, [(source, target) for source, target in learned])
    mean = -sum(one.log_prob for one in probable) / sum(one.tokens for one in probable)
    figures = [json.loads(line) for line in (trained / "metrics.jsonl").open()]
    assert mean == pytest.approx(figures[-1]["valid_loss"], abs=1e-4)
    assert mean < 0.2
    assert model.embed(["The dog sleeps."]).shape == (1, 32)
    assert "recurrent network" in model.bundle.card
    about = describe_model(str(trained))
    assert (about["family"], about["model"]["cell"]) == ("rnn", "lstm")
    total = sum(p.numel() for p in model.model.parameters())
    parts = about["parameters"]
    assert parts["all"] == total == parts["tables"] + parts["encoder"] + parts["decoder"]


def test_without_attention_there_is_no_alignment(trained, tmp_path):
    whole = load_model(trained / "final")
    c = replace(whole.model_config, attention="none", input_feeding=False)
    save_bundle(tmp_path / "blind", replace(whole, model=build(c, 0), model_config=c))
    (actual,) = pellucid.load(tmp_path / "blind").translate(["The dog sleeps."], max_length=4)
    assert actual.alignment == ()
    with pytest.raises(UsageError, match="this model has none"):
        translator(Options(str(tmp_path / "blind"), alignment=True))


def test_a_damaged_directory_is_refused(trained, tmp_path):
    whole = load_model(trained / "final")
    save_bundle(tmp_path / "m", whole)
    again = load_model(tmp_path / "m")
    assert all(map(torch.equal, whole.model.parameters(), again.model.parameters()))
    with pytest.raises(ConfigError, match="family 'rnn' has no published layout"):
        export_published(tmp_path / "hf", whole)
    config = json.loads((tmp_path / "m/config.json").read_text())
    for change, message in (
        ({"family": "lstm"}, "family 'lstm' is not known"),
        ({"family": ["rnn"]}, "family .* is not known"),
        ({"family": "transformer"}, "model.cell"),
        ({"model": {**config["model"], "cell": "gru"}}, "do not fit the model"),
        ({"model": {**config["model"], "n_decoder_layers": 900}}, "says 900 decoder layers"),
        ({"model": {**config["model"], "input_feeding": False}}, "do not fit the model"),
    ):
        with pytest.raises((VerificationError, ConfigError), match=message):
            load_changed(tmp_path / "m", {**config, **change})


def load_changed(directory, config):
    """Load with another config.json, its manifest made to fit."""
    other = directory.with_name("changed")
    with publish(other, replace=True) as temp:
        for file in directory.iterdir():
            if file.name != "manifest.json":
                (temp / file.name).write_bytes(file.read_bytes())
        (temp / "config.json").write_bytes(dump_json(config))
    return load_model(other)


def test_defaults_of_the_size():  # authority: families/rnn.py, and what a user says wins
    config, _ = complete_settings({"size": "rnn"}, RunContext(29_000, True))
    assert isinstance(config.model, RNNConfig)
    assert config.training.clip_norm == RNN.training["clip_norm"]
    assert config.training.rate == RNN.training["rate"]
    assert config.tokenizer.vocab_size == 10_000
    inputs = {"size": "rnn", "training": {"rate": 0.5}, "model": {"attention": "dot"}}
    config, _ = complete_settings(inputs, RunContext(29_000, True))
    assert isinstance(config.model, RNNConfig)
    assert (config.training.rate, config.model.attention) == (0.5, "dot")


def test_a_single_text_is_no_list(trained):
    with pytest.raises(UsageError, match="takes a list"):
        pellucid.load(trained).translate("The dog sleeps.")
