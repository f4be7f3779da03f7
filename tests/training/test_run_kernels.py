"""A run keeps the kernels it began with. Authority: docs/training.md; the uninterrupted run."""

import json

import pytest
import torch

from pellucid.config.read import merge
from pellucid.errors import DataError, UsageError
from pellucid.nn import kernel_cache, kernels
from pellucid.nn.kernel_choice import KernelChoices
from pellucid.training.pipeline import train
from pellucid.training.reporter import Quiet
from pellucid.training.run_directory import RunDirectory
from training.conftest import figures
from training.run_small import SETTINGS

ONEDNN = {"fp32": [100.0], "onednn": [200.0], "bf16": [50.0]}
BF16 = {"fp32": [100.0], "onednn": [50.0], "bf16": [300.0]}


class Messages(Quiet):
    def __init__(self):
        self.lines = []

    def log(self, message):
        self.lines.append(message)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """machine(speeds): from now on we are on a machine with these."""
    monkeypatch.delenv("PELLUCID_KERNELS")

    def move(speeds):
        monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / f"cache {id(speeds)}"))
        monkeypatch.setattr(kernel_cache, "measure", lambda: speeds)

    return move


@pytest.fixture
def go(tmp_path, pairs_file):
    """go(run, updates, **training) trains so far and returns the line about kernels."""

    def run(name, updates, **training):
        messages = Messages()
        small = {"average": 1, "precision": "auto", "validate_every": 3, "max_updates": updates}
        over = {"run_dir": str(tmp_path / name), "data": {"train": [str(pairs_file)]}}
        train(merge(merge(SETTINGS, over), {"training": small | training}), reporter=messages)
        (line,) = [line for line in messages.lines if line.startswith("kernels: ")]
        return line

    return run


def recorded(path):
    return json.loads((path / "kernels.json").read_text())


def test_a_resumed_run_keeps_its_kernels_on_another_machine(machine, go, tmp_path):
    machine(BF16)
    line = go("whole", 6)
    assert "precision auto is bf16 (measured on" in line
    go("moved", 3)
    machine(ONEDNN)
    line = go("moved", 6)
    assert "precision auto is bf16 (as when this run began)" in line
    assert recorded(tmp_path / "moved") == {"onednn": False, "bf16": True, "fused_attention": False}
    assert figures(tmp_path / "moved") == figures(tmp_path / "whole")
    assert kernels.active_choices() == KernelChoices()  # the choice ends with the training


def test_auto_trains_in_what_was_chosen(machine, go, tmp_path):  # authority: the setting itself
    machine(BF16)
    for name, precision in (("auto", "auto"), ("bf16", "bf16"), ("fp32", "fp32")):
        go(name, 3, precision=precision)
    assert figures(tmp_path / "auto") == figures(tmp_path / "bf16") != figures(tmp_path / "fp32")


def test_precision_may_be_set_when_a_run_resumes(machine, go, tmp_path):
    machine(BF16)
    for name, precision in (("fp32", "fp32"), ("auto", "auto")):
        go(name, 3)
        go(name, 6, precision=precision)
    assert figures(tmp_path / "fp32") != figures(tmp_path / "auto")
    assert RunDirectory(tmp_path / "fp32").config().training.precision == "fp32"


def test_without_a_checkpoint_nothing_is_kept(machine, go, tmp_path):
    machine(BF16)
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    run.record_kernels(KernelChoices(onednn=True))
    go("run", 1)
    assert recorded(run.path) == {"onednn": False, "bf16": True, "fused_attention": False}


def test_a_damaged_record_is_refused(machine, go, tmp_path):
    machine(BF16)
    go("run", 1)
    (tmp_path / "run" / "kernels.json").write_text('{"mkl": true}')
    with pytest.raises(DataError, match=r"kernels\.json does not hold the run's kernels"):
        go("run", 2)


def test_an_unknown_pin_is_refused_before_any_work(monkeypatch, go, tmp_path):
    monkeypatch.setenv("PELLUCID_KERNELS", "fast")
    with pytest.raises(UsageError, match="PELLUCID_KERNELS='fast' names no kernels"):
        go("run", 1)
    assert not (tmp_path / "run").exists()


def test_a_pinned_run_measures_nothing(monkeypatch, go, tmp_path):
    monkeypatch.setattr(kernel_cache, "measure", None)
    monkeypatch.setenv("PELLUCID_KERNELS", "onednn")
    assert (
        go("run", 1)
        == "kernels: fp32 products by oneDNN, precision auto is fp32 (pinned by PELLUCID_KERNELS)"
    )
    assert torch.isfinite(torch.tensor(figures(tmp_path / "run")[0]["loss"]))
