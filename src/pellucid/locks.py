"""Locks that end with the process that holds them, however it ends: no stale lock files."""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import ResourceError

PAUSE = 0.01  # seconds between two attempts to take a lock
# Windows locks byte 0, which no other process can read then.
HOLDER_OFFSET = 1

# Open descriptor -> device, inode and thread of the lock it holds.
_held: dict[int, tuple[int, ...]] = {}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of an existing file or directory, after waiting for it.

    The thread that holds it may take it again: publishing a directory holds it while files are
    written inside. Where directories cannot be locked (NFS, Windows), nothing is held.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except PermissionError:
        if os.name != "nt":
            raise
        yield  # Windows opens no directories
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
    """Return whether no process holds a path's lock; False where that cannot be known."""
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
    """`with RunLock(run_dir):` only this process writes there."""

    def __init__(self, run_dir: Path) -> None:
        self.path = Path(run_dir) / ".lock"

    def __enter__(self) -> "RunLock":
        """Raises: ResourceError, which names the process that holds the lock, if one does."""
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
    """Take the lock of an open file, or return False. Raises: OSError where there are no locks."""
    from filelock import lock_descriptor  # 0.06 s, which a help text should not cost

    return lock_descriptor(fd, blocking=False)


def _close(fd: int) -> None:
    _held.pop(fd, None)
    os.close(fd)


def _close_in_child() -> None:
    """A forked child (a worker that prepares batches) must not keep the locks of its parent."""
    for fd in _held:
        os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_close_in_child)
