"""Two processes train as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.distributed_c10d import Backend, BackendConfig

from pellucid import garden
from pellucid.config.read import merge
from pellucid.errors import ConfigError, ResourceError
from pellucid.training import distribution
from pellucid.training.distribution import World, join_processes
from pellucid.training.pipeline import train
from training import run_small
from training.conftest import SOURCE, TORCHRUN, figures, finished

pytestmark = pytest.mark.timeout(300)  # whole processes, on a machine that may be shared


def test_two_processes_give_the_curve_of_one(start, tmp_path):  # authority: one process
    one = start(tmp_path / "one")
    finished(one)
    two = start(tmp_path / "two", launcher=TORCHRUN)
    finished(two)
    actual, reference = figures(tmp_path / "two"), figures(tmp_path / "one")
    assert len(actual) == len(reference) == 14
    for a, b in zip(actual, reference, strict=True):
        assert a.keys() == b.keys()
        for name in ("loss", "valid_loss"):
            if name in a:
                assert a[name] == pytest.approx(b[name], rel=1e-6)
    final = [load_file(tmp_path / name / "final" / "model.safetensors") for name in ("one", "two")]
    for name, weight in final[0].items():
        assert (weight - final[1][name]).abs().max() < 1e-4, name  # Adam divides by small numbers


@pytest.mark.parametrize("task", ["masked_lm", "tagging"])
def test_two_processes_prepare_and_train_an_encoder(task, start, tmp_path):
    # authority: one process; the second one reads what the first has written
    text, tags = tmp_path / "t.txt", tmp_path / "t.conll"
    text.write_text("".join(f"{english}\n" for english, _ in garden.pairs(60, "en", "de")))
    tags.write_text("".join(f"Ada{i} B-PER\nsaw O\nRome{i} B-LOC\n\n" for i in range(60)))
    settings = {
        "task": task,
        "size": "bert-tiny",
        "tokenizer": {"vocab_size": 300},
        "data": {"train": [str(text if task == "masked_lm" else tags)]},
        "model": {"n_decoder_layers": 0},
        "training": {"max_updates": 4, "warmup": 2, "checkpoint_every": 4, "validate_every": 4},
    }
    two = start(tmp_path / "two", settings, launcher=TORCHRUN)
    finished(two)
    train(merge(merge(run_small.SETTINGS, settings), {"run_dir": str(tmp_path / "one")}))
    for a, b in zip(figures(tmp_path / "two"), figures(tmp_path / "one"), strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    assert (tmp_path / "two" / "final" / "model.safetensors").is_file()


def test_the_end_of_another_process_is_no_bug(monkeypatch):
    def broken() -> None:
        raise RuntimeError("Connection closed by peer")  # as gloo reports it

    monkeypatch.setattr(distribution.dist, "barrier", broken)
    with pytest.raises(ResourceError, match="another process of this training has ended"):
        World(1, 2).wait()


def test_each_process_has_its_own_gpu(monkeypatch):  # authority: torchrun's LOCAL_RANK
    current = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    cpu, gpu, first = map(torch.device, ("cpu", "cuda", "cuda:0"))
    assert World(3, 4, local_rank=1).select_device(gpu) == torch.device("cuda:1")
    assert current == [torch.device("cuda:1")]
    with pytest.raises(ConfigError, match="more processes than its 2 GPUs"):
        World(2, 3, local_rank=2).select_device(gpu)
    for world, device in ((World(), gpu), (World(1, 2, 1), cpu), (World(1, 2, 1), first)):
        assert world.select_device(device) == device


@pytest.mark.parametrize("has_gpu", [True, False])
def test_tensors_of_the_cpu_go_by_gloo(monkeypatch, has_gpu):  # authority: torch's reading
    backends = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(
        distribution.dist, "init_process_group", lambda name, timeout: backends.append(name)
    )
    monkeypatch.setattr(distribution.dist, "get_rank", lambda: 3)
    monkeypatch.setattr(distribution.dist, "destroy_process_group", lambda: None)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with join_processes() as world:
        assert world == World(3, 4, local_rank=1)
    used = BackendConfig(Backend(backends[0])).get_device_backend_map()
    assert used["cpu"] == "gloo"
    assert used["cuda"] == ("nccl" if has_gpu else "gloo")


def test_micro_batches_are_shared_evenly():  # authority: the definition
    shares = [list(World(rank, 2).assign_micro_batches(6)) for rank in range(2)]
    assert shares == [[0, 2, 4], [1, 3, 5]]
    with pytest.raises(ConfigError, match="multiple of 2"):
        World(0, 2).assign_micro_batches(3)


def test_models_work_with_fsdp2(tmp_path):  # authority: the whole model's gradients
    script = Path(__file__).parent / "shard_small.py"
    result = subprocess.run(
        [sys.executable, *TORCHRUN, str(script)],
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert result.returncode == 0, result.stderr
    assert "largest difference" in result.stderr
