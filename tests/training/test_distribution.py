"""Two processes train as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from pellucid.errors import ConfigError
from pellucid.training.distribution import World
from training.conftest import SOURCE, figures, finished

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")

pytestmark = pytest.mark.timeout(300)  # whole processes, on a machine that may be shared


def test_two_processes_give_the_curve_of_one(start, tmp_path):  # authority: one process
    one = start(tmp_path / "one")
    finished(one)
    two = start(tmp_path / "two", launcher=TORCHRUN)
    finished(two)
    ours, theirs = figures(tmp_path / "two"), figures(tmp_path / "one")
    assert len(ours) == len(theirs) == 14
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for name in ("loss", "valid_loss"):
            if name in a:
                assert a[name] == pytest.approx(b[name], rel=1e-6)
    final = [load_file(tmp_path / name / "final" / "model.safetensors") for name in ("one", "two")]
    for name, weight in final[0].items():
        assert (weight - final[1][name]).abs().max() < 1e-4, name  # Adam divides by small numbers


def test_micro_batches_are_shared_evenly():  # authority: the definition
    shares = [list(World(rank, 2).share(6)) for rank in range(2)]
    assert shares == [[0, 2, 4], [1, 3, 5]]
    with pytest.raises(ConfigError, match="multiple of 2"):
        World(0, 2).share(3)


def test_nothing_stands_in_the_way_of_fsdp2(tmp_path):  # authority: the whole model's gradients
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
