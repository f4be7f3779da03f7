"""Locks that die with their holder: no stale pid files, nothing to clean by hand."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import ResourceError

# Descriptor -> device, inode, thread that holds it.
_held: dict[int, tuple[int, ...]] = {}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of an existing file or directory, after waiting for it.

    Whoever holds it may ask again: publishing a directory holds it while others write inside.
    """
    fd = os.open(path, os.O_RDONLY)
    mine = (os.fstat(fd).st_dev, os.fstat(fd).st_ino, threading.get_ident())
    again = mine in _held.values()
    _held[fd] = mine
    try:
        if not again:
            with contextlib.suppress(OSError):  # NFS cannot lock directories: a smaller net
                fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        _let_go(fd)


def is_free(path: Path) -> bool:
    """Whether nobody holds a path's lock, as far as this file system can tell."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would wait
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


class RunLock:
    """`with RunLock(run_dir):` one process alone writes there."""

    def __init__(self, run_dir: Path) -> None:
        self.path = Path(run_dir) / ".lock"

    def __enter__(self) -> "RunLock":
        """Raises: ResourceError naming the holder if there is one."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            _held[self.fd] = ()
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self.fd, 100, 0).decode("ascii", "replace")
            _let_go(self.fd)
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
        _let_go(self.fd)


def _let_go(fd: int) -> None:
    _held.pop(fd, None)
    os.close(fd)


def _forget() -> None:
    """A forked child (a loader's worker) must not keep alive the lock of a parent that dies."""
    for fd in _held:
        os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
