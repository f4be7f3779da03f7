"""Files that are complete or absent: published at once, checked by sha256, locked by one writer.

A directory is written under a temporary name next to its final one, its manifest last; everything
is flushed to disk, and one rename publishes it. A crash leaves the old content, and perhaps a
hidden `.tmp-` or `.old-` entry, which `sweep` removes or restores.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import DataError, ResourceError
from pellucid.locks import is_free, locked
from pellucid.manifest import write_manifest

FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
NO_PARENT = (errno.ENOENT, errno.EISDIR)
LEFTOVER = re.compile(r"\.(?P<kind>tmp|old)-(?P<name>.+)-\d+-[0-9a-f]{8}")


@contextlib.contextmanager
def publish(
    final: Path, replace: bool = False, needs: int = 0, facts: dict | None = None
) -> Iterator[Path]:
    """Yield a directory to fill; when the block ends without an error it becomes `final`.

    If the block raises, nothing has changed. needs: bytes that will be written, if known.
    facts: more content of the manifest. Raises: ResourceError if the disk is full or not
    writable; DataError if `final` exists and `replace` is not set.
    """
    if final.exists() and not replace:
        raise _taken(final)
    with contextlib.ExitStack() as stack:
        with explained(final, needs=needs):
            final.parent.mkdir(parents=True, exist_ok=True)
            if needs > shutil.disk_usage(final.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sweep(final.parent)
            temp = _hidden_name(final, "tmp")
            with locked(final.parent):
                temp.mkdir()
                stack.enter_context(locked(temp))  # so that no sweep removes it
        stack.callback(shutil.rmtree, temp, ignore_errors=True)  # after an error
        with explained(final, temp, needs):
            yield temp
            write_manifest(temp, facts)
            _flush(temp)
            with locked(final.parent):
                if final.exists() and not replace:
                    raise _taken(final)  # created by another process meanwhile
                _put(temp, final)


def atomic_write(path: Path, data: bytes) -> None:
    """Write one file so that a crash leaves the old content or the new. Raises: ResourceError."""
    with explained(path, needs=len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = _hidden_name(path, "tmp")
        with locked(path.parent):
            try:
                temp.write_bytes(data)
                _sync(temp)
                temp.replace(path)
            finally:
                temp.unlink(missing_ok=True)
        _sync(path.parent)


def user_cache() -> Path:
    """Return the folder of downloads and measurements: PELLUCID_CACHE, else the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PELLUCID_CACHE") or Path(base) / "pellucid")


def check_place(path: Path) -> None:
    """Raises: ResourceError if `atomic_write` could not write this file."""
    with explained(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EEXIST, "it is not a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = _hidden_name(path, "tmp")
        with locked(path.parent):
            temp.touch()
            temp.unlink()


def remove(directory: Path) -> None:
    """Delete a directory; a crash leaves all of it or nothing under its name."""
    with explained(directory), locked(directory.parent):
        temp = _hidden_name(directory, "tmp")
        directory.rename(temp)
        _delete(temp)


def sweep(directory: Path) -> list[str]:
    """Remove or restore what dead processes left in a directory; return notes on what was done."""
    notes = []
    with explained(directory), locked(directory):
        for entry in sorted(directory.iterdir()):  # .old- before .tmp-
            match = LEFTOVER.fullmatch(entry.name)
            if match is None or not _belongs_to_user(entry):
                continue
            final = directory / match["name"]
            if match["kind"] == "old" and not final.exists():
                entry.rename(final)
                notes.append(f"{final}: restored after an interrupted replacement")
            elif is_free(entry):
                _delete(entry) if entry.is_dir() else entry.unlink()
                notes.append(f"{entry}: removed, left by a process that has ended")
    return notes


@contextlib.contextmanager
def explained(path: Path, temp: Path | None = None, needs: int = 0) -> Iterator[None]:
    """Raise a ResourceError in place of the OSError of a full, read-only or forbidden disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            written = sum(f.stat().st_size for f in temp.rglob("*")) if temp else 0
            raise ResourceError(
                f"cannot write {path}: {error.strerror} ({max(needs, written):,} bytes or more"
                f" needed, {_free(path):,} free). Nothing saved before has changed."
                " Free some space, or choose a directory on another disk."
            ) from error
        # While `temp` is filled, other files are read: a missing one is no fault of this path.
        if error.errno in (FORBIDDEN if temp else FORBIDDEN + NO_PARENT):
            raise ResourceError(
                f"cannot write {path}: {error.strerror}. Nothing saved before has changed."
                " Choose another place that is writable."
            ) from error
        raise


def _taken(final: Path) -> DataError:
    return DataError(f"{final} exists already. Choose another name, or move it away.")


def _put(temp: Path, final: Path) -> None:
    """Rename temp to final; the old content is renamed first and deleted last."""
    old = _hidden_name(final, "old") if final.exists() else None
    if old is not None:
        final.rename(old)
    try:
        temp.rename(final)
    except OSError:
        if old is not None:
            old.rename(final)
        raise
    _sync(final.parent)
    if old is not None:
        _delete(old.rename(_hidden_name(final, "tmp")))  # half of it must never be restored


def _delete(directory: Path) -> None:
    for entry in sorted(directory.rglob("*"), reverse=True):  # contents before their folder
        entry.rmdir() if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    directory.rmdir()


def _flush(directory: Path) -> None:
    """Flush files and folders to the disk, with the directory's own read permissions."""
    mode = directory.stat().st_mode & 0o666  # safetensors makes its files private
    for entry in directory.rglob("*"):
        if entry.is_file():
            entry.chmod(mode)
        _sync(entry)
    _sync(directory)


def _belongs_to_user(path: Path) -> bool:
    return os.name == "nt" or path.lstat().st_uid == os.geteuid()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no directories
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _hidden_name(final: Path, kind: str) -> Path:
    return final.with_name(f".{kind}-{final.name}-{os.getpid()}-{secrets.token_hex(4)}")


def _free(path: Path) -> int:
    return shutil.disk_usage(next(p for p in path.absolute().parents if p.is_dir())).free
