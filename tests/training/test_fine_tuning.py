"""Runs that start from a finished model, counted in epochs and examples."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from pellucid import garden
from pellucid.config.read import merge, read_yaml
from pellucid.formats.open_model import open_model
from pellucid.training.inputs import read_inputs
from pellucid.training.pipeline import train
from pellucid.training.reporter import Quiet
from training.conftest import figures

pytestmark = pytest.mark.timeout(300)  # whole trainings, on a machine that may be shared

SMALL = {
    "device": "cpu",
    "task": "masked_lm",
    "tokenizer": {"vocab_size": 300},
    "model": {"d_model": 32, "d_ff": 64, "n_heads": 2, "n_encoder_layers": 2},
    "training": {"max_updates": 2, "precision": "fp32", "threads": 1},
}


class Lines(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A small encoder."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "a.txt").write_text("".join(f"{en}\n" for en, _ in garden.pairs(60, "en", "de")))
    settings = {"run_dir": str(folder / "run"), "data": {"train": [str(folder / "a.txt")]}}
    return train(merge(SMALL, settings)).run.final


@pytest.fixture(scope="module")
def conll(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "t.conll"
    names, places = ("Ada", "Alan"), ("Rome", "Oslo")
    path.write_text(
        "".join(
            f"{names[i % 2]} B-PER\nsaw O\n{places[i % 3 > 0]} B-LOC\n{i} O\n\n" for i in range(80)
        )
    )
    return path


def tagging(start, conll, run, **training):
    return {
        "device": "cpu",
        "task": "tagging",
        "run_dir": str(run),
        "start_from": str(start),
        "data": {"train": [str(conll)]},
        "training": {"precision": "fp32", "threads": 1, **training},
    }


def test_epochs_are_recorded_and_resume_exactly(start, conll, tmp_path):
    arguments = {"epochs": 2.5, "batch_examples": 8, "schedule": "constant", "validate_every": 6}
    arguments |= {"checkpoint_every": 0, "warmup": 2}
    heard = Lines()
    whole = train(tagging(start, conll, tmp_path / "whole", **arguments), reporter=heard).run
    recorded = read_yaml(whole.config_path)["training"]
    assert {name: recorded[name] for name in ("epochs", "max_updates", "max_tokens")} == {
        "epochs": 2.5,
        "max_updates": 0,
        "max_tokens": 0,
    }
    # 76 examples, 4 of 80 being held out: 10 batches an epoch
    assert "76 examples; 2+0 layers, d_model 32; 25 updates of 8 examples" in heard.lines
    steps = [r["step"] for r in figures(whole.path) if "valid_f1" in r]
    assert steps == [6, 12, 18, 24, 25]
    cut = tagging(start, conll, tmp_path / "cut", **arguments)
    del cut["training"]["epochs"]
    train(merge(cut, {"training": {"max_updates": 11}}))
    resumed = train({"run_dir": cut["run_dir"], "training": {"epochs": 2.5}}).run
    assert read_yaml(resumed.config_path)["training"] == recorded
    one, other = (open_model(run.final).model for run in (whole, resumed))
    assert all(torch.equal(p, other.get_parameter(n)) for n, p in one.named_parameters())
    assert json.loads((resumed.path / "metrics.jsonl").read_text().split("\n")[-2])["step"] == 25


def test_the_defaults_of_fine_tuning(start, conll, tmp_path):  # authority: issue 10
    heard = Lines()
    settings = tagging(start, conll, tmp_path / "run")
    run = train(merge(settings, {"objective": {"class_weights": "balanced"}}), reporter=heard).run
    inputs = read_inputs(run)
    tags = Counter(tag for line in conll.read_text().split("\n") for tag in line.split()[1:])
    assert inputs.n_records == 76
    for tag, n in inputs.label_counts["tags"].items():
        assert 0 < tags[tag] - n <= 2 * 4  # four sentences are held out
    (labels,) = (line for line in heard.lines if line.startswith("tags: O 152, B-"))
    assert labels.count(",") == 2
    assert "76 examples; 2+0 layers, d_model 32; 50 updates of 16 examples" in heard.lines
    validated = [r["step"] for r in figures(run.path) if "valid_f1" in r]
    assert validated == [25, 50]
    assert read_yaml(run.config_path)["data"]["max_length"] == 128  # the task's default
