"""What every test may ask for, and what none may do: reach out of this machine."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import no_network

REPOSITORY = Path(__file__).resolve().parents[1]

# A busy machine must not fail a test; a failing example is printed so that it can come back.
settings.register_profile("pellucid", deadline=None, print_blob=True)
settings.load_profile("pellucid")

# The same kernels on every machine and in every process that a test starts; another pin is kept.
os.environ.setdefault("PELLUCID_KERNELS", "fp32")

# A shell starts what runs in its background with SIGINT ignored, nohup with SIGHUP, and programs
# leave them so; here some must end by them.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Each test process keeps its own list of attempts; the processes it starts add to it.
_folder = tempfile.TemporaryDirectory(prefix="pellucid-tests-")
ATTEMPTS = Path(_folder.name) / "network-attempts"
ATTEMPTS.touch()
os.environ[no_network.LOG] = str(ATTEMPTS)
_own = [str(Path(__file__).parent / "children"), str(REPOSITORY / "src")]
_path = [*_own, *os.environ.get("PYTHONPATH", "").split(":")]
os.environ["PYTHONPATH"] = ":".join(dict.fromkeys(part for part in _path if part))
no_network.install()


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    yield
    message = ATTEMPTS.read_text(encoding="utf-8")
    ATTEMPTS.write_text("", encoding="utf-8")
    assert not message, f"during this test something tried to use the network: {message}"


@pytest.fixture
def network_attempts() -> Path:
    """The file where attempts to reach the network are written; who empties it forgives them."""
    return ATTEMPTS


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data, which is not part of the repository."""
    path = Path(os.environ.get("PELLUCID_SHARED") or REPOSITORY.parent / "shared")
    if not path.is_dir():
        pytest.skip(f"no folder {path}: this test needs real data. Set PELLUCID_SHARED to it.")
    return path


@pytest.fixture(scope="session")
def source() -> Path:
    """The package's own source folder."""
    return REPOSITORY / "src" / "pellucid"
