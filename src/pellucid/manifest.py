"""The manifest of a directory: each file's sha256 and size, and how the directory was made."""

import contextlib
import hashlib
import os
import platform
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pellucid.errors import DataError, VerificationError
from pellucid.json_files import DAMAGED, dump_json, read_json, unreadable

NAME = "manifest.json"
REQUIRE = "PELLUCID_REQUIRE_CHECKSUM"
FORMAT = 1
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".spm")
"""Endings of files that are read. Others, such as TensorFlow weights, may be pointers."""


def write_manifest(directory: Path, facts: dict[str, Any] | None = None) -> None:
    """Write the `manifest.json` of a directory, after all its other files."""
    files = {
        name: {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for name, path in sorted(_files(directory))
        if name != NAME
    }
    body = {"format": FORMAT, "files": files, "facts": {**_versions(), **(facts or {})}}
    (directory / NAME).write_bytes(_with_seal(body))


def verify(directory: Path, deep: bool = True) -> dict[str, Any]:
    """Check a directory against its manifest, and return the manifest.

    deep: check each file's sha256; otherwise only names and sizes.

    Raises: DataError if there is no such directory; VerificationError naming the faulty file.
    """
    if not directory.is_dir():
        raise DataError(f"{directory} is not a directory. Check the name.")
    paths = dict(_files(directory))
    refuse_lfs_pointers(directory)
    if NAME not in paths:
        raise VerificationError(
            f"{directory} has no {NAME}: writing it was interrupted, or another tool wrote it."
            " Use another directory, or write this one again."
        )
    manifest = _read_manifest(directory / NAME)
    listed = manifest["files"]
    for name in sorted(listed.keys() | paths.keys() - {NAME}):
        if name not in paths:
            raise VerificationError(f"{directory / name} is missing. {DAMAGED}")
        if name not in listed:
            raise VerificationError(
                f"{directory / name} is not in the manifest, so it cannot be verified. Remove it."
            )
        size = paths[name].stat().st_size
        if size != listed[name]["bytes"]:
            raise VerificationError(
                f"{directory / name} has {size:,} bytes instead of {listed[name]['bytes']:,}."
                f" {DAMAGED}"
            )
        if deep and _sha256(paths[name]) != listed[name]["sha256"]:
            raise VerificationError(
                f"{directory / name} has changed since it was saved (sha256 differs). {DAMAGED}"
            )
    return manifest


@contextlib.contextmanager
def verify_while_reading(directory: Path, required: bool = False) -> Iterator[None]:
    """Verify a directory in a thread while the block reads it.

    If a file is damaged, this error replaces any error in the block. A directory without a manifest
    is not verified, but refused if `required` is True or PELLUCID_REQUIRE_CHECKSUM=1.
    Raises: as `verify`.
    """
    refuse_lfs_pointers(directory)
    if (directory / NAME).exists():
        from concurrent.futures import ThreadPoolExecutor  # slow to import

        verify(directory, deep=False)
        with ThreadPoolExecutor(1) as pool:  # hashing releases the interpreter's lock
            verification = pool.submit(verify, directory)
            try:
                yield
            finally:
                verification.result()
        return
    if required or os.environ.get(REQUIRE) == "1":
        raise VerificationError(
            f"{directory} has no {NAME}, so its files cannot be verified, and a checksum is"
            f" required. If you trust it: pellucid import {shlex.quote(str(directory))} OUT, with"
            f" neither --require-checksum nor {REQUIRE}=1."
        )
    yield


def refuse_lfs_pointers(directory: Path) -> None:
    """Raises: VerificationError if a file is a Git LFS pointer instead of the real file."""
    for path in sorted(directory.glob("*")):
        # The specification of Git LFS allows 1,024 bytes, so larger files are not opened.
        is_small = path.is_file() and path.stat().st_size <= 1024 and path.suffix in LFS_SUFFIXES
        if is_small and path.read_bytes().startswith(LFS_POINTER):
            raise VerificationError(
                f"{path} is a Git LFS pointer: the repository was cloned without its large files."
                f" Fetch them: git -C {shlex.quote(str(directory))} lfs pull"
            )


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path)
    types = {"format": int, "files": dict}
    if not isinstance(manifest, dict) or any(
        not isinstance(manifest.get(name), kind) for name, kind in types.items()
    ):
        raise VerificationError(
            f"{path} is not a manifest of pellucid: another tool wrote it, or it is damaged. If"
            f" another tool wrote it, rename it (mv {shlex.quote(str(path))}"
            f" {shlex.quote(f'{path}.other')}); otherwise copy or download the directory again."
        )
    if manifest["format"] > FORMAT:
        raise VerificationError(
            f"{path} has format {manifest['format']}, this version reads up to {FORMAT}: it was"
            " written by a newer pellucid. Upgrade: pip install -U pellucid."
        )
    body = {key: value for key, value in manifest.items() if key != "seal"}
    # The seal detects damage to the manifest, not tampering: anyone can compute a new seal.
    if path.read_bytes() != _with_seal(body) or body.keys() != {"format", "files", "facts"}:
        raise VerificationError(f"{path} is not what was saved (its seal differs). {DAMAGED}")
    for name, entry in body["files"].items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise VerificationError(
                f"{path} lists {name[:100]!r}, outside its directory. Do not use it."
            )
        if not isinstance(entry, dict) or entry.keys() != {"sha256", "bytes"}:
            raise VerificationError(f"{path}: {name[:100]!r} needs sha256 and bytes. {DAMAGED}")
    return manifest


def _versions() -> dict[str, str]:
    """Return versions on which the last bits of a result may depend."""
    from importlib import metadata  # slow to import

    versions = {"python": platform.python_version()}
    for name in ("pellucid", "torch", "safetensors", "tokenizers"):
        with contextlib.suppress(metadata.PackageNotFoundError):  # pellucid is not installed
            versions[name] = metadata.version(name)
    return versions


def _with_seal(body: dict[str, Any]) -> bytes:
    return dump_json({**body, "seal": hashlib.sha256(dump_json(body)).hexdigest()})


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield (relative name, path) of each file. Raises: VerificationError at a link or device."""
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise VerificationError(
                    f"{path} is a link or a device and cannot be verified. Replace it with a"
                    " regular file."
                )
            if path.is_file():
                yield path.relative_to(directory).as_posix(), path


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error
