"""Authority: hand-made torn states (campaign A4), a real SIGKILL in a real process, NumPy."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch

from kill_points import install
from pellucid.errors import ResourceError, UsageError, VerificationError
from pellucid.files import sweep
from pellucid.manifest import verify, write_manifest
from pellucid.training import checkpoints
from pellucid.training.checkpoints import (
    average,
    checkpoint_step,
    latest_checkpoint,
    list_checkpoints,
    prune,
    read_checkpoint,
    save_checkpoint,
)


def save(run, step):
    groups = {
        "weights": {"w": torch.full((30, 7), float(step)), "b": torch.arange(5.0)},
        "optimizer": {
            "m": torch.full((30, 7), step / 3, dtype=torch.float64),
            "n": torch.tensor(step),
        },
        "random": {"torch": torch.get_rng_state()},
        "empty": {},
    }
    return save_checkpoint(run, step, groups, {"step": step, "best": None, "words": ["ä", 0.1]})


@pytest.fixture
def run(tmp_path):
    for step in (1000, 2000):
        save(tmp_path, step)
    return tmp_path


def test_everything_comes_back_bit_by_bit(tmp_path):
    path = save(tmp_path, 7)
    assert path == tmp_path / "checkpoints" / "step-00000007"
    groups, state = read_checkpoint(path)
    assert state == {"step": 7, "best": None, "words": ["ä", 0.1]}
    assert groups["empty"] == {}
    assert torch.equal(groups["random"]["torch"], torch.get_rng_state())
    m = groups["optimizer"]["m"]
    assert m.dtype == torch.float64
    assert torch.equal(m, torch.full((30, 7), 7 / 3, dtype=torch.float64))
    assert groups["optimizer"]["n"].shape == ()
    facts = json.loads((path / "manifest.json").read_text())["facts"]
    assert facts["threads"] == torch.get_num_threads()
    assert {"python", "torch", "safetensors"} <= facts.keys()


def without(name):
    return lambda new, run: (new / name).unlink()


def cut(name, size):
    return lambda new, run: os.truncate(new / name, size)


def back_to(name):
    """The directory as it was before its rename, under a dead process's temporary name."""
    return lambda new, run: new.rename(new.with_name(f".{name}-{new.name}-99999-0123abcd"))


def both(*changes):
    return lambda new, run: [change(new, run) for change in changes]


def flip(name):
    def change(new, run):
        data = bytearray((new / name).read_bytes())
        data[-1] ^= 1
        (new / name).write_bytes(data)

    return change


def only(*names):
    return lambda new, run: [p.unlink() for p in new.iterdir() if p.name not in names]


# What a crash at each stage may leave of step 3000, and which step is then the newest valid.
STATES = {
    "1 empty temporary directory": (both(only(), back_to("tmp")), 2000, 0),
    "2 one file, half written": (
        both(only("optimizer.safetensors"), cut("optimizer.safetensors", 40), back_to("tmp")),
        2000,
        0,
    ),
    "3 all files, no manifest": (both(without("manifest.json"), back_to("tmp")), 2000, 0),
    "4 half a manifest": (both(cut("manifest.json", 99), back_to("tmp")), 2000, 0),
    "5 complete, not renamed": (back_to("tmp"), 2000, 0),
    "6 renamed": (lambda new, run: None, 3000, 0),
    "7 replacing: old moved aside": (back_to("old"), 3000, 0),
    "8 replacing: both there": (
        lambda new, run: shutil.copytree(new, new.with_name(f".old-{new.name}-99999-0123abcd")),
        3000,
        0,
    ),
    "9 half deleted": (both(without("weights.safetensors"), back_to("tmp")), 2000, 0),
    "10 renamed, a file lost by the disk": (without("state.json"), 2000, 1),
    "11 renamed, a file emptied by the disk": (cut("weights.safetensors", 0), 2000, 1),
    "12 renamed, the manifest emptied by the disk": (cut("manifest.json", 0), 2000, 1),
    "13 renamed, a bit flipped": (flip("optimizer.safetensors"), 2000, 1),
    "14 a file where a directory should be": (
        lambda new, run: (shutil.rmtree(new), new.write_bytes(b"")),
        2000,
        1,
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_newest_valid_one_is_found_after_any_crash(run, name):
    damage, newest, n_skipped = STATES[name]
    damage(save(run, 3000), run)
    sweep(run / "checkpoints")
    actual = latest_checkpoint(run)
    assert actual.path is not None
    assert checkpoint_step(actual.path) == newest
    assert len(actual.skipped) == n_skipped
    for line in actual.skipped:
        assert line.startswith("skipped step-00003000: ")
    assert read_checkpoint(actual.path)[1]["step"] == newest
    assert not [p for p in (run / "checkpoints").iterdir() if p.name.startswith(".")]
    if n_skipped == 0:  # the resumed run comes to step 3000 again
        save(run, 3000)
        actual = latest_checkpoint(run)
        assert actual.path is not None
        assert checkpoint_step(actual.path) == 3000


def test_a_damaged_one_is_replaced_when_its_step_comes_again(run):
    cut("weights.safetensors", 9)(run / "checkpoints" / "step-00002000", run)
    assert len(latest_checkpoint(run).skipped) == 1
    save(run, 2000)
    assert latest_checkpoint(run) == (run / "checkpoints" / "step-00002000", [])


def test_none_yet_and_none_left(run, tmp_path):
    assert latest_checkpoint(tmp_path / "new") == (None, [])
    for path in (run / "checkpoints").iterdir():
        without("state.json")(path, run)
    path, skipped = latest_checkpoint(run)
    assert path is None
    assert [line[:21] for line in skipped] == ["skipped step-00002000", "skipped step-00001000"]


def test_what_is_damaged_is_named(run):
    flip("weights.safetensors")(run / "checkpoints" / "step-00002000", run)
    (message,) = latest_checkpoint(run).skipped
    assert "weights.safetensors has changed since" in message


def test_a_full_disk_costs_nothing_already_saved(run, monkeypatch):
    # The disk itself is filled for real in tests/test_files.py; here: space is asked for first.
    free = shutil.disk_usage(run)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(ResourceError, match=r"step-00003000.*at least .* bytes needed, 1,000 free"):
        save(run, 3000)
    assert latest_checkpoint(run) == (run / "checkpoints" / "step-00002000", [])


def steps(run):
    return sorted(checkpoint_step(p) for p in (run / "checkpoints").glob("step-*"))


def test_pruning(run):
    for step in (3000, 4000, 5000, 6000):
        save(run, step)
    removed = prune(run, 6000, keep=2, always=(1000, 3000))
    assert [checkpoint_step(path) for path in removed] == [4000, 2000]
    assert steps(run) == [1000, 3000, 5000, 6000]
    assert prune(run, 6000, keep=2, always=(1000, 3000)) == []
    assert prune(run, 6000, keep=9) == []


def test_damaged_ones_do_not_push_out_valid_ones(run):
    for step in (3000, 4000, 5000):
        save(run, step)
    for step in (3000, 5000):
        flip("weights.safetensors")(run / "checkpoints" / f"step-{step:08d}", run)
    prune(run, 4000, keep=2)
    assert steps(run) == [2000, 4000, 5000]  # 5000 is newer than the newest valid: evidence


def test_only_older_ones_that_may_be_kept_are_verified(run, monkeypatch):
    for step in (3000, 4000):
        save(run, step)
    verified = []
    monkeypatch.setattr(checkpoints, "verify", lambda path: verified.append(checkpoint_step(path)))
    prune(run, 4000, keep=2)
    assert verified == [3000]
    assert steps(run) == [3000, 4000]


def test_copies_of_other_names_are_no_checkpoints(run):
    newest = run / "checkpoints" / "step-00002000"
    shutil.copytree(newest, newest.with_name("step-best"))
    assert list_checkpoints(run) == [newest.with_name("step-00001000"), newest]
    prune(run, 2000, keep=1)
    assert newest.with_name("step-best").is_dir()


def test_checkpoints_are_in_the_order_of_their_steps(run):  # authority: numbers, not text
    paths = [save(run, step) for step in (20_000_000, 100_000_000)]
    assert list_checkpoints(run)[-2:] == paths


def test_a_kill_while_pruning_leaves_only_complete_checkpoints(run):
    for step in (3000, 4000):
        save(run, step)
    pid = os.fork()
    if pid == 0:
        install("remove:partly@7")  # in the second deletion
        prune(run, 4000, keep=1)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert steps(run) == [1000, 4000]
    for path in list_checkpoints(run):
        verify(path)


def test_average_is_the_mean_in_float64(tmp_path):
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn(50, 3, generator=generator) * 10.0**i for i in range(-4, 3)]
    paths = [
        save_checkpoint(tmp_path, i, {"weights": {"w": w}, "ema": {"w": -w}}, {})
        for i, w in enumerate(drawn)
    ]
    mean = np.mean([w.numpy().astype(np.float64) for w in drawn], axis=0).astype(np.float32)
    actual = average(paths)["w"]
    assert actual.dtype == torch.float32
    assert np.array_equal(actual.numpy(), mean)
    assert np.array_equal(average(paths, "ema")["w"].numpy(), -mean)


def test_average_of_what_does_not_match(run):
    with pytest.raises(UsageError, match="Name at least one"):
        average([])
    other = save_checkpoint(run, 1, {"weights": {"w": torch.zeros(2)}}, {})
    with pytest.raises(VerificationError, match="different names or shapes"):
        average([run / "checkpoints" / "step-00001000", other])
    with pytest.raises(VerificationError, match="different names or shapes"):
        average([other, save_checkpoint(run, 2, {"weights": {"w": torch.zeros(3)}}, {})])


def test_a_file_added_by_hand_is_not_trusted(run):
    path = run / "checkpoints" / "step-00002000"
    shutil.copy(path / "weights.safetensors", path / "ema.safetensors")
    assert "cannot be verified" in latest_checkpoint(run).skipped[0]
    write_manifest(path)  # unless its owner vouches for it
    assert latest_checkpoint(run) == (path, [])
