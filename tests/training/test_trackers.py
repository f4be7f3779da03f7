"""Weights & Biases, offline. Authority: the package itself."""

import os
import subprocess
import sys
import time

import pytest

from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.training import trackers
from pellucid.training.reporter import Quiet
from pellucid.training.trackers import add_trackers

CONFIG = RunConfig(training=TrainingConfig(wandb=True, seed=7))


class Listener(Quiet):
    def __init__(self) -> None:
        self.records = []

    def log_metrics(self, record):
        self.records.append(record)


class FakeRun:
    def __init__(self) -> None:
        self.logged, self.summary, self.finished = [], {}, 0

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished += 1


def test_what_is_logged(monkeypatch, tmp_path):  # authority: wandb's documented interface
    wandb = pytest.importorskip("wandb")
    run, calls = FakeRun(), []
    monkeypatch.setattr(wandb, "init", lambda **settings: calls.append(settings) or run)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    listener = Listener()

    def fail():
        with add_trackers(listener, CONFIG, tmp_path) as reporter:
            reporter.log_metrics({"step": 5, "loss": 0.5})
            reporter.log_metrics({"final_loss": 0.25})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert run.logged == [(5, {"loss": 0.5})]
    assert run.summary == {"final_loss": 0.25}
    assert run.finished == 1  # also if training fails
    assert len(listener.records) == 2
    assert calls[0]["mode"] == "offline"
    assert calls[0]["config"]["training"]["seed"] == 7


def test_a_tracker_is_closed_if_the_next_one_fails(monkeypatch, tmp_path):
    closed = []

    class OpenTracker(Quiet):
        def __init__(self, run_dir) -> None:
            pass

        def close(self):
            closed.append(self)

    def fail(run_dir, config):
        raise ConnectionError

    monkeypatch.setattr(trackers, "TensorBoard", OpenTracker)
    monkeypatch.setattr(trackers, "WeightsAndBiases", fail)
    config = RunConfig(training=TrainingConfig(tensorboard=True, wandb=True))
    with pytest.raises(ConnectionError), add_trackers(Quiet(), config, tmp_path):
        pass
    assert len(closed) == 1


def test_an_offline_run_is_on_disk(monkeypatch, tmp_path):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with add_trackers(Quiet(), CONFIG, tmp_path) as reporter:
        reporter.log_metrics({"step": 5, "valid_f1": 0.123456789})
    (path,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 20  # another process writes it
    while b"valid_f1" not in (stored := path.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert b"valid_f1" in stored  # protocol buffers, not compressed
    assert b"0.123456789" in stored


def test_nothing_is_sent_when_the_process_ends(tmp_path):  # authority: the guard of all tests
    """wandb would send how it was used then, in a run that is offline too."""
    pytest.importorskip("wandb")
    script = f"""
from pathlib import Path
from pellucid.config.run import RunConfig
from pellucid.config.training import TrainingConfig
from pellucid.training.reporter import Quiet
from pellucid.training.trackers import add_trackers
config = RunConfig(training=TrainingConfig(wandb=True))
with add_trackers(Quiet(), config, Path({str(tmp_path)!r})) as reporter:
    reporter.log_metrics({{"step": 5, "valid_f1": 0.5}})
"""
    unset = ("WANDB_MODE", "WANDB_ERROR_REPORTING")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=100)
