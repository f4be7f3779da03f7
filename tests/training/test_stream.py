"""The loader processes of a training."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

LOADERS = Path(__file__).parent / "loaders.py"


def is_running(pid):
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_loaders_end_with_a_killed_trainer(method):
    trainer = subprocess.Popen(
        [sys.executable, str(LOADERS), method], stdout=subprocess.PIPE, text=True
    )
    loaders = trainer.stdout.readline().split()
    assert len(loaders) == 2
    assert all(map(is_running, loaders))
    trainer.kill()
    trainer.wait()
    deadline = time.monotonic() + 30
    while any(map(is_running, loaders)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, loaders))
