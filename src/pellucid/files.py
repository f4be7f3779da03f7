"""Atomic writing of files and directories.

A directory is written under a temporary name next to the final one, with its manifest last. Then
it is flushed to disk and renamed. A crash leaves the old content and possibly a hidden `.tmp-` or
`.old-` entry, which `sweep` removes or restores.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pellucid.errors import DataError, ResourceError, UsageError
from pellucid.locks import hold_lock, is_free
from pellucid.manifest import NAME as MANIFEST
from pellucid.manifest import write_manifest

FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
NO_PARENT = (errno.ENOENT, errno.EISDIR)
LEFTOVER = re.compile(r"\.(?P<kind>tmp|old)-(?P<name>.+)-\d+-[0-9a-f]{8}")


@contextlib.contextmanager
def publish(
    final: Path, replace: bool = False, needs: int = 0, facts: dict | None = None
) -> Iterator[Path]:
    """Yield a temporary directory, and rename it to `final` when the block ends.

    If the block raises, the temporary directory is deleted and `final` does not change.
    needs: number of bytes that will be written, if known. facts: further content of the manifest.
    Raises: ResourceError if the disk is full or not writable; DataError if `final` exists and
    `replace` is False.
    """
    if final.exists() and not replace:
        raise _exists_error(final)
    with contextlib.ExitStack() as stack:
        with convert_disk_errors(final, needs=needs):
            final.parent.mkdir(parents=True, exist_ok=True)
            if needs > shutil.disk_usage(final.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sweep(final.parent)
            temp = _hidden_name(final, "tmp")
            with hold_lock(final.parent):
                temp.mkdir()
                stack.enter_context(hold_lock(temp))  # so that no sweep removes it
        stack.callback(shutil.rmtree, temp, ignore_errors=True)  # after an error
        with convert_disk_errors(final, temp, needs):
            yield temp
            write_manifest(temp, facts)
            _flush(temp)
            with hold_lock(final.parent):
                if final.exists() and not replace:
                    raise _exists_error(
                        final
                    )  # another process has created it since the first check
                _rename(temp, final)


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old or the new content. Raises: ResourceError."""
    with convert_disk_errors(path, needs=len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = _hidden_name(path, "tmp")
        with hold_lock(path.parent):
            try:
                temp.write_bytes(data)
                _sync(temp)
                temp.replace(path)
            finally:
                temp.unlink(missing_ok=True)
        _sync(path.parent)


def user_cache() -> Path:
    """Return the directory for downloads and measurements.

    It is $PELLUCID_CACHE, else $XDG_CACHE_HOME/pellucid, else ~/.cache/pellucid.
    Raises: ResourceError if none is set and the user has no home directory.
    """
    if chosen := os.environ.get("PELLUCID_CACHE"):
        return Path(chosen)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "pellucid"
    try:
        return Path.home() / ".cache" / "pellucid"
    except RuntimeError as error:
        raise ResourceError(
            "this user has no home directory for the cache. Name a directory in the environment"
            " variable PELLUCID_CACHE."
        ) from error


def check_writable(path: Path) -> None:
    """Check that `atomic_write` could write this file.

    Raises: ResourceError if not; DataError if a model's directory would no longer be as its
    manifest says.
    """
    if (path.parent / MANIFEST).is_file():
        raise DataError(
            f"{path.parent} is a model's directory, and its manifest lists all its files. Write"
            f" {path.name} elsewhere."
        )
    with convert_disk_errors(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EEXIST, "this is not a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = _hidden_name(path, "tmp")
        with hold_lock(path.parent):
            temp.touch()
            temp.unlink()


def check_not_read(path: Path, inputs: Iterable[str]) -> None:
    """Raises: UsageError if a file to write is one of the files that are read."""
    for name in inputs:
        if path.exists() and Path(name).exists() and path.samefile(name):
            raise UsageError(
                f"{path} is read by this command, and would be overwritten. Write to another file."
            )


def check_outside(path: Path, directory: Path) -> None:
    """Raises: UsageError if a path to write is in a directory that is read, or is that directory.

    Its manifest would no longer list all that is in it.
    """
    if path.resolve().is_relative_to(directory.resolve()):
        raise UsageError(f"{path} is in {directory}, which is read. Write to another directory.")


def remove(directory: Path) -> None:
    """Delete a directory atomically: after a crash it is complete or absent."""
    with convert_disk_errors(directory), hold_lock(directory.parent):
        temp = _hidden_name(directory, "tmp")
        directory.rename(temp)
        _delete(temp)


def sweep(directory: Path) -> list[str]:
    """Remove or restore the leftovers of crashed processes; return a note on each."""
    notes = []
    with convert_disk_errors(directory), hold_lock(directory):
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
                notes.append(f"{entry}: removed, a leftover of a process that has ended")
    return notes


@contextlib.contextmanager
def convert_disk_errors(path: Path, temp: Path | None = None, needs: int = 0) -> Iterator[None]:
    """Convert an OSError from a full, read-only or forbidden disk to a ResourceError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            written = sum(f.stat().st_size for f in temp.rglob("*")) if temp else 0
            raise ResourceError(
                f"cannot write {path}: {error.strerror} (at least {max(needs, written):,} bytes"
                f" needed, {_free(path):,} free). Nothing saved before has changed."
                " Free some space, or choose a directory on another disk."
            ) from error
        # While `temp` is filled, other files are read. A missing one is not an error of this path.
        if error.errno in (FORBIDDEN if temp else FORBIDDEN + NO_PARENT):
            raise ResourceError(
                f"cannot write {path}: {error.strerror}. Nothing saved before has changed."
                " Choose a writable path."
            ) from error
        raise


def _exists_error(final: Path) -> DataError:
    return DataError(f"{final} already exists. Choose another name, or move it away.")


def _rename(temp: Path, final: Path) -> None:
    """Rename temp to final. Old content is renamed before and deleted after that."""
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
        # `sweep` restores `.old-` entries, and must not restore a partly deleted one.
        _delete(old.rename(_hidden_name(final, "tmp")))


def _delete(directory: Path) -> None:
    for entry in sorted(directory.rglob("*"), reverse=True):  # contents before their folder
        entry.rmdir() if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    directory.rmdir()


def _flush(directory: Path) -> None:
    """Flush files and folders to disk, after giving files the permissions of the directory."""
    mode = directory.stat().st_mode & 0o666  # safetensors creates private files
    for entry in directory.rglob("*"):
        if entry.is_file():
            entry.chmod(mode)
        _sync(entry)
    _sync(directory)


def _belongs_to_user(path: Path) -> bool:
    return os.name == "nt" or path.lstat().st_uid == os.geteuid()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open directories
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _hidden_name(final: Path, kind: str) -> Path:
    return final.with_name(f".{kind}-{final.name}-{os.getpid()}-{secrets.token_hex(4)}")


def _free(path: Path) -> int:
    return shutil.disk_usage(next(p for p in path.absolute().parents if p.is_dir())).free
