"""Locks that die with their holder: no stale pid files, nothing to clean by hand."""

import fcntl
import os
from pathlib import Path

from pellucid.errors import ResourceError

_held: set[int] = set()


def hold(path: Path) -> int:
    """Lock an existing file or directory, waiting for it; the descriptor goes to `let_go`."""
    fd = os.open(path, os.O_RDONLY)
    _held.add(fd)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def let_go(fd: int) -> None:
    """Give up a lock."""
    _held.discard(fd)
    os.close(fd)


class RunLock:
    """`with RunLock(run_dir):` one process alone writes there."""

    def __init__(self, run_dir: Path) -> None:
        self.path = Path(run_dir) / ".lock"

    def __enter__(self) -> "RunLock":
        """Raises: ResourceError naming the holder if there is one."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            _held.add(self.fd)
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self.fd, 100, 0).decode("ascii", "replace")
            let_go(self.fd)
            raise ResourceError(
                f"{self.path.parent} is in use by another training ({holder or 'just starting'})."
                " Wait for it, stop it, or choose another run_dir."
            ) from None
        except OSError as error:
            raise ResourceError(
                f"cannot lock {self.path}: {error.strerror}. Without a lock two trainings would"
                " destroy each other's files. Choose a run_dir that is writable and can be locked."
            ) from error
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
        return self

    def __exit__(self, *exc: object) -> None:
        let_go(self.fd)


def _forget() -> None:
    """A forked child (a loader's worker) must not keep alive the lock of a parent that dies."""
    for fd in _held:
        os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
