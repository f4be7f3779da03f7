"""Authority: the system's count of resident memory."""

import os
import subprocess
import sys

import pytest

SHAPES = """
import sys

import torch

from pellucid.allocator import limit_compiled_operators
from pellucid.nn.kernels import onednn_linear


def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


if sys.argv[1] == "limited":
    limit_compiled_operators()
torch.set_num_threads(1)
weight = torch.randn(256, 256)
with torch.inference_mode():
    onednn_linear(torch.randn(500, 256), weight, None)
    before = memory()
    for rows in range(1, 500):
        onednn_linear(torch.randn(rows, 256), weight, None)
print(memory() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_operators_for_many_shapes_take_little_memory():
    environment = {k: v for k, v in os.environ.items() if not k.endswith("CACHE_CAPACITY")}
    grown = {
        limit: int(subprocess.check_output([sys.executable, "-c", SHAPES, limit], env=environment))
        for limit in ("limited", "unlimited")
    }
    assert grown["limited"] < 0.5 * grown["unlimited"]
    assert grown["limited"] < 150e6
