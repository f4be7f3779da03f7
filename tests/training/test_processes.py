"""Real training processes: signals, determinism, one writer at a time, a full disk."""

import hashlib
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from pellucid.errors import ConfigError, DataError, ResourceError
from pellucid.locks import RunLock
from pellucid.training.checkpoints import checkpoint_step, list_checkpoints
from pellucid.training.pipeline import train
from training import run_small
from training.conftest import TORCHRUN, figures, finished

pytestmark = pytest.mark.timeout(300)  # whole processes, on a machine that may be shared

LONG = {"training": {"max_updates": 400, "checkpoint_every": 400, "validate_every": 400}}


def until_training(run_dir, process):
    """Wait for the first line of metrics."""
    for _ in range(2000):
        if (run_dir / "metrics.jsonl").exists() or process.poll() is not None:
            return
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_and_the_run_resumes(start, tmp_path, number, code):  # authority: A2
    process = start(tmp_path, LONG)
    until_training(tmp_path, process)
    process.send_signal(number)
    finished(process, code)
    (checkpoint,) = (tmp_path / "checkpoints").glob("step-*")
    reached = int(checkpoint.name.removeprefix("step-"))
    assert 0 < reached < 400
    assert [r["step"] for r in figures(tmp_path)] == list(range(1, reached + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are listed on Linux only")
def test_a_signal_to_one_process_stops_all(start, tmp_path):  # authority: A2
    launcher = start(tmp_path, LONG, launcher=TORCHRUN)
    until_training(tmp_path, launcher)
    _, second = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    os.kill(int(second), signal.SIGTERM)
    finished(launcher, 1)  # torchrun's code when a process does not return 0
    (checkpoint,) = list_checkpoints(tmp_path)
    assert 0 < checkpoint_step(checkpoint) < 400
    assert not (tmp_path / "final").exists()


def test_usr1_saves_and_goes_on(start, tmp_path):  # authority: A2
    process = start(tmp_path, {"training": {"max_updates": 60, "checkpoint_every": 60, "keep": 9}})
    until_training(tmp_path, process)
    process.send_signal(signal.SIGUSR1)
    finished(process)
    steps = sorted(p.name for p in (tmp_path / "checkpoints").glob("step-*"))
    assert len(steps) >= 2
    assert steps[-1] == "step-00000060"


def test_fresh_processes_agree_to_the_bit(start, tmp_path):  # authority: A7
    digests, output = set(), []
    runs = [tmp_path / f"place{i}" / "run" for i in range(5)]
    for run in runs:
        run.parent.mkdir()
    processes = [start(run, cwd=run.parent, PYTHONHASHSEED=str(i)) for i, run in enumerate(runs)]
    for run, process in zip(runs, processes, strict=True):
        output.append(finished(process))
        weights = (run / "final" / "model.safetensors").read_bytes()
        tokenizer = (run / "final" / "tokenizer.json").read_bytes()
        digests.add((hashlib.sha256(weights).hexdigest(), hashlib.sha256(tokenizer).hexdigest()))
    assert len(digests) == 1
    logged = (runs[0] / "log.txt").read_text().rstrip("\n").split("\n")
    assert [line[21:] for line in logged] == output[0].rstrip("\n").split("\n")
    assert all(figures(run) == figures(runs[0]) for run in runs)


def settings(run_dir, data, **changes):
    return {
        **run_small.SETTINGS,
        "run_dir": str(run_dir),
        "data": {"train": [str(data)]},
        **changes,
    }


def test_a_second_trainer_is_refused(pairs_file, tmp_path):  # authority: A4
    with RunLock(tmp_path), pytest.raises(ResourceError, match="in use by another training"):
        train(settings(tmp_path, pairs_file))


def test_a_resumed_run_keeps_its_settings(start, pairs_file, tmp_path):
    finished(start(tmp_path))
    changed = run_small.SETTINGS["training"] | {"seed": 2}
    with pytest.raises(ConfigError, match=r"began with training.seed=1, now it is 2"):
        train(settings(tmp_path, pairs_file, training=changed))


@pytest.mark.parametrize(
    ("data", "message"),
    [({"train": []}, "no training data"), ({"train": ["absent.en", "absent.de"]}, "absent")],
)
def test_what_can_be_known_is_said_before_training(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        train({"run_dir": str(tmp_path / "run"), "data": data})
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the file size limit is tried on Linux only")
def test_a_full_disk_leaves_the_last_checkpoint(pairs_file, tmp_path):  # authority: A3
    run = tmp_path / "run"
    train(settings(run, pairs_file, training=run_small.SETTINGS["training"] | {"max_updates": 3}))
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(ResourceError, match=r"step-00000006"):
            train(settings(run, pairs_file))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert not list(run.rglob(".tmp-*"))
