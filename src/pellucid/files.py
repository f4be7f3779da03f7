"""Files that are whole or absent: published at once, checked by sha256, locked by one writer.

A directory is written beside its final place under a temporary name, its manifest last, everything
is flushed to disk, and one rename publishes it. Whatever a crash leaves behind is either the old
content or a hidden `.tmp-` or `.old-` entry, which `sweep` removes or puts back.
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
NO_PLACE = (errno.ENOENT, errno.EISDIR)
LEFTOVER = re.compile(r"\.(?P<kind>tmp|old)-(?P<name>.+)-\d+-[0-9a-f]{8}")


@contextlib.contextmanager
def publish(
    final: Path, replace: bool = False, needs: int = 0, facts: dict | None = None
) -> Iterator[Path]:
    """Give a directory to fill; when the block ends well it becomes `final`, with a manifest.

    If the block raises, nothing has changed. `needs`: bytes about to be written, where known.
    `facts`: what else the manifest should say. Raises: ResourceError if the disk is full or not
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
            temp = _beside(final, "tmp")
            with locked(final.parent):
                temp.mkdir()
                stack.enter_context(locked(temp))  # says to every sweep that we live
        stack.callback(shutil.rmtree, temp, ignore_errors=True)  # of use if something is raised
        with explained(final, temp, needs):
            yield temp
            write_manifest(temp, facts)
            _flush(temp)
            with locked(final.parent):
                if final.exists() and not replace:
                    raise _taken(final)  # it has come while we wrote
                _put(temp, final)


def atomic_write(path: Path, data: bytes) -> None:
    """Write one file so that a crash leaves the old content or the new. Raises: ResourceError."""
    with explained(path, needs=len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = _beside(path, "tmp")
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
    """Raises: ResourceError where `atomic_write` could not put a file, before there is any work."""
    with explained(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EEXIST, "it is no file")
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = _beside(path, "tmp")
        with locked(path.parent):
            temp.touch()
            temp.unlink()


def remove(directory: Path) -> None:
    """Delete a directory so that a crash leaves all of it or nothing under its name."""
    with explained(directory), locked(directory.parent):
        temp = _beside(directory, "tmp")
        directory.rename(temp)
        _delete(temp)


def sweep(directory: Path) -> list[str]:
    """Clear what dead processes left in a directory; says in words what was done."""
    done = []
    with explained(directory), locked(directory):
        for entry in sorted(directory.iterdir()):  # .old- before .tmp-
            match = LEFTOVER.fullmatch(entry.name)
            if match is None or not _is_own(entry):
                continue
            final = directory / match["name"]
            if match["kind"] == "old" and not final.exists():
                entry.rename(final)
                done.append(f"{final}: put back after an interrupted replacement")
            elif is_free(entry):
                _delete(entry) if entry.is_dir() else entry.unlink()
                done.append(f"{entry}: removed, left by a process that has ended")
    return done


@contextlib.contextmanager
def explained(path: Path, temp: Path | None = None, needs: int = 0) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into a ResourceError that says what to do."""
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
        # While `temp` is filled other files are read: one that is missing is not our place.
        if error.errno in (FORBIDDEN if temp else FORBIDDEN + NO_PLACE):
            raise ResourceError(
                f"cannot write {path}: {error.strerror}. Nothing saved before has changed."
                " Choose another place, one that you may write to."
            ) from error
        raise


def _taken(final: Path) -> DataError:
    return DataError(f"{final} exists already. Choose another name, or move it away.")


def _put(temp: Path, final: Path) -> None:
    """Rename temp to final; what was there is moved aside first and deleted last."""
    old = _beside(final, "old") if final.exists() else None
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
        _delete(old.rename(_beside(final, "tmp")))  # half an old one must never be put back


def _delete(directory: Path) -> None:
    for entry in sorted(directory.rglob("*"), reverse=True):  # what is inside before its folder
        entry.rmdir() if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    directory.rmdir()


def _flush(directory: Path) -> None:
    """Files and folders to the disk, readable by whom the directory itself is readable by."""
    mode = directory.stat().st_mode & 0o666  # safetensors makes its files private
    for entry in directory.rglob("*"):
        if entry.is_file():
            entry.chmod(mode)
        _sync(entry)
    _sync(directory)


def _is_own(path: Path) -> bool:
    return os.name == "nt" or path.lstat().st_uid == os.geteuid()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no directories
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _beside(final: Path, kind: str) -> Path:
    return final.with_name(f".{kind}-{final.name}-{os.getpid()}-{secrets.token_hex(4)}")


def _free(path: Path) -> int:
    return shutil.disk_usage(next(p for p in path.absolute().parents if p.is_dir())).free
