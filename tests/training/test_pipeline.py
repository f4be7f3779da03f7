"""A run that goes on is the run that began, whatever became of the files it began with.

Authority: the uninterrupted run's weights; what may differ, by hand.
"""

import shutil
from pathlib import Path

import pytest
import torch

from pellucid.config.columns import PAIR
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.read import merge
from pellucid.data.records import read_records
from pellucid.errors import ConfigError, DataError
from pellucid.formats.own_layout import load_model
from pellucid.text.train import train_tokenizers
from pellucid.training.average import average_checkpoints, find_checkpoints
from pellucid.training.pipeline import build_data, train
from training import run_small

pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared


@pytest.fixture
def text(pairs_file, tmp_path):
    """Text of the test's own to change."""
    return Path(shutil.copy(pairs_file, tmp_path))


def settings(run, text, updates=3, **over):
    """Those of a small run of so many updates."""
    inputs = {"run_dir": str(run), "data": {"train": [str(text)]}}
    inputs["training"] = {"max_updates": updates, "average": 1}
    return merge(merge(run_small.SETTINGS, inputs), over)


def learn(directory, text, vocab_size):
    """A tokenizer in a directory, in place of what was there."""
    shutil.rmtree(directory, ignore_errors=True)
    config = TokenizerConfig(vocab_size=vocab_size)

    def pairs():
        return (record.values for record in read_records([str(text)], PAIR, DataConfig()))

    learned = train_tokenizers(pairs, config)
    learned.save(directory)


def test_a_run_does_not_resume_with_other_text(text, tmp_path):
    train(settings(tmp_path / "run", text))
    before = text.read_bytes()
    lines = before.splitlines(keepends=True)
    for changed in (before + b"A new line.\tEine neue Zeile.\n", b"".join(lines[:200])):
        text.write_bytes(changed)
        with pytest.raises(DataError, match=rf"{text.name}: this is not the text"):
            train(settings(tmp_path / "run", text, updates=6))
    text.write_bytes(before)  # the advised way
    assert train(settings(tmp_path / "run", text, updates=6)).progress.step == 6


def test_a_run_is_not_shortened(text, tmp_path):
    run = tmp_path / "run"
    train(settings(run, text, updates=4))
    kept = {path: path.read_bytes() for path in (run / "final").iterdir()}
    kept[run / "config.yaml"] = (run / "config.yaml").read_bytes()
    with pytest.raises(ConfigError, match=r"max_updates=3, but .*run has 4 updates already"):
        train(settings(run, text, updates=3))
    assert {path: path.read_bytes() for path in kept} == kept
    assert train(settings(run, text, updates=4)).progress.step == 4


def test_a_finished_run_without_checkpoints_does_not_start_again(text, tmp_path):
    """Authority: the model's bytes."""
    run = tmp_path / "run"
    train(settings(run, text, updates=4))
    kept = {path: path.read_bytes() for path in (run / "final").iterdir()}
    for each in (run / "checkpoints").iterdir():
        (each / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match="no sound checkpoint to resume from: training would start"):
        train(settings(run, text, updates=6))
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(DataError, match=f"replace {run / 'final'}"):
        train(settings(run, text, updates=6))
    assert {path: path.read_bytes() for path in kept} == kept
    shutil.rmtree(run / "final")  # the advised way
    assert train(settings(run, text, updates=6)).progress.step == 6


def test_without_the_digests_of_its_texts_a_run_does_not_resume(text, tmp_path):
    train(settings(tmp_path / "run", text, updates=3))
    (tmp_path / "run" / "texts.json").unlink()
    with pytest.raises(DataError, match=r"texts\.json is missing"):
        train(settings(tmp_path / "run", text, updates=6))


def test_a_run_keeps_its_tokenizer_whatever_becomes_of_the_original(text, tmp_path):
    learn(tmp_path / "tok", text, 400)
    named = {"tokenizer": {"path": str(tmp_path / "tok")}}
    whole = load_model(train(settings(tmp_path / "whole", text, 6, **named)).run.final)
    train(settings(tmp_path / "cut", text, **named))
    learn(tmp_path / "tok", text, 300)
    cut = load_model(train(settings(tmp_path / "cut", text, 6, **named)).run.final)
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, cut.model.get_parameter(name)), name
    shutil.rmtree(tmp_path / "tok")
    mean = average_checkpoints(find_checkpoints(tmp_path / "cut"))
    assert mean.tokenizers.source.to_json() == whole.tokenizers.source.to_json()
    train(settings(tmp_path / "cut", text, 6, **named))


def test_a_copied_checkpoint_does_not_count_twice(text, tmp_path):
    run = train(settings(tmp_path / "run", text)).run.path
    paths = find_checkpoints(run)
    copy = shutil.copytree(paths[-1], run / "checkpoints" / "step-best")
    assert find_checkpoints(run) == paths
    original, same = (average_checkpoints(find_checkpoints(path)) for path in (paths[-1], copy))
    for name, parameter in original.model.named_parameters():
        assert torch.equal(parameter, same.model.get_parameter(name)), name
    assert same.card == original.card


def test_the_advised_setting_is_taken_while_nothing_is_trained(text, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="max_tokens"):
        train(settings(run, text, training={"max_tokens": 5}))
    build_data(settings(run, text, tokenizer={"vocab_size": 300}))
    trained = train(settings(run, text, training={"seed": 7}))
    assert trained.config.training.max_tokens == run_small.SETTINGS["training"]["max_tokens"]
    vocabulary = load_model(trained.run.final).tokenizers.source.vocab_size
    assert 300 < vocabulary <= 400


def test_what_is_not_said_again_stays(text, tmp_path):
    inputs = {
        "run_dir": str(tmp_path / "run"),
        "data": {"train": [str(text)]},
        **{name: run_small.SETTINGS[name] for name in ("size", "device", "model", "tokenizer")},
    }
    first = train({**inputs, "training": {"max_updates": 4, "seed": 3}})
    again = train({**inputs, "training": {"max_updates": 5}})
    assert again.config.training.seed == 3
    assert again.config.training.validate_every == first.config.training.validate_every == 4
    with pytest.raises(ConfigError, match=r"began with size='tiny', now it is 'rnn'"):
        train({**inputs, "size": "rnn", "model": {}})
