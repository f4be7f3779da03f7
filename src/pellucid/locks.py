"""Locks that the operating system releases when their process ends, so none becomes stale."""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import ResourceError

PAUSE = 0.01  # seconds between two attempts to take a lock
# Position of the holder's name. Windows locks byte 0, so no other process can read it.
HOLDER_OFFSET = 1

# File descriptor -> (device, inode, thread) of its lock; () for a run's lock.
_held: dict[int, tuple[int, ...]] = {}


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Wait for the lock of an existing file or directory, and hold it in the block.

    The lock is reentrant in a thread: `publish` holds it while files are written inside. It does
    nothing where directories cannot be locked (NFS, Windows).
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except PermissionError:
        if os.name != "nt":
            raise
        yield  # Windows cannot open directories
        return
    key = (os.fstat(fd).st_dev, os.fstat(fd).st_ino, threading.get_ident())
    is_nested = key in _held.values()
    _held[fd] = key
    try:
        if not is_nested:
            with contextlib.suppress(OSError):
                while not _take(fd):
                    time.sleep(PAUSE)
        yield
    finally:
        _close(fd)


def is_free(path: Path) -> bool:
    """Return whether no process holds the lock of a path; False if this cannot be determined."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait
    except PermissionError:
        return False
    try:
        return _take(fd)
    except OSError:
        return False
    finally:
        os.close(fd)


class RunLock:
    """Lock of a run directory: `with RunLock(run_dir):` excludes other trainings."""

    def __init__(self, run_dir: Path) -> None:
        self.path = Path(run_dir) / ".lock"

    def __enter__(self) -> "RunLock":
        """Raises: ResourceError naming the process that holds the lock, or a file that is there."""
        if self.path.parent.is_file():
            raise ResourceError(f"{self.path.parent} is a file. Choose another run_dir.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            _held[self.fd] = ()
            is_locked = _take(self.fd)
        except OSError as error:
            raise ResourceError(
                f"cannot lock {self.path}: {error.strerror}. Without a lock two trainings would"
                " destroy each other's files. Choose a run_dir that is writable and can be locked."
            ) from error
        os.lseek(self.fd, HOLDER_OFFSET, os.SEEK_SET)
        if not is_locked:
            holder = os.read(self.fd, 100).decode("ascii", "replace")
            _close(self.fd)
            raise ResourceError(
                f"{self.path.parent} is in use by another training ({holder or 'just starting'})."
                " Wait for it, stop it, or choose another run_dir."
            )
        os.ftruncate(self.fd, HOLDER_OFFSET)
        os.write(self.fd, f"process {os.getpid()} on {platform.node()}".encode())
        return self

    def __exit__(self, *exc: object) -> None:
        _close(self.fd)


def _take(fd: int) -> bool:
    """Return whether the lock of an open file was acquired.

    Raises: OSError if the file system does not support locks.
    """
    from filelock import lock_descriptor  # takes 0.06 s, too slow for --help

    return lock_descriptor(fd, blocking=False)


def _close(fd: int) -> None:
    _held.pop(fd, None)
    os.close(fd)


def _close_in_child() -> None:
    """Close the parent's locks in a forked child, such as a worker that prepares batches."""
    for fd in _held:
        os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_close_in_child)
