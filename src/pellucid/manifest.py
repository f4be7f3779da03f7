"""What a directory must hold: every file's sha256 and size, and the facts of its making."""

import contextlib
import hashlib
import json
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pellucid.errors import DataError, VerificationError

NAME = "manifest.json"
REQUIRE = "PELLUCID_REQUIRE_CHECKSUM"
FORMAT = 1
DEEPEST = 64  # no file of ours nests further; the parser's own limit is a crash
BROKEN = "The file is damaged: copy it again, or make it anew."


def write_manifest(directory: Path, facts: dict[str, Any] | None = None) -> None:
    """Write `manifest.json` about all other files of a directory; call it last."""
    files = {
        name: {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for name, path in sorted(_files(directory))
        if name != NAME
    }
    body = {"format": FORMAT, "files": files, "facts": {**_versions(), **(facts or {})}}
    (directory / NAME).write_bytes(_sealed(body))


def verify(directory: Path, deep: bool = True) -> dict[str, Any]:
    """Check a directory against its manifest and return that; not `deep`: names and sizes only.

    Raises: DataError if there is no such directory; VerificationError naming the file at fault.
    """
    if not directory.is_dir():
        raise DataError(f"{directory} is not a directory. Check the name.")
    found = dict(_files(directory))
    if NAME not in found:
        raise VerificationError(
            f"{directory} has no {NAME}: writing it was interrupted, or it is not pellucid's."
            " Use another, or make it anew."
        )
    manifest = _read_manifest(directory / NAME)
    listed = manifest["files"]
    for name in sorted(listed.keys() | found.keys() - {NAME}):
        if name not in found:
            raise VerificationError(f"{directory / name} is missing. {BROKEN}")
        if name not in listed:
            raise VerificationError(
                f"{directory / name} is not in the manifest, so nobody vouches for it. Remove it."
            )
        size = found[name].stat().st_size
        if size != listed[name]["bytes"]:
            raise VerificationError(
                f"{directory / name} has {size:,} bytes instead of {listed[name]['bytes']:,}."
                f" {BROKEN}"
            )
        if deep and _sha256(found[name]) != listed[name]["sha256"]:
            raise VerificationError(
                f"{directory / name} has other content than when it was saved (sha256 differs)."
                f" {BROKEN}"
            )
    return manifest


@contextlib.contextmanager
def verified(directory: Path, required: bool = False) -> Iterator[None]:
    """Verify a directory that has a manifest, beside what the body reads of it.

    A damaged file is what is said, whatever the body met. One without a manifest is refused where
    that is asked for; PELLUCID_REQUIRE_CHECKSUM=1 asks for it too. Raises: as `verify`.
    """
    if (directory / NAME).exists():
        from concurrent.futures import ThreadPoolExecutor  # no help text should wait for it

        verify(directory, deep=False)
        with ThreadPoolExecutor(1) as pool:  # sums are worked out without Python's lock
            checked = pool.submit(verify, directory)
            try:
                yield
            finally:
                checked.result()
        return
    if required or os.environ.get(REQUIRE) == "1":
        raise VerificationError(
            f"{directory} has no {NAME}, so nothing vouches for its bytes, and a checksum is"
            " required. If you trust it as it is: pellucid import DIR OUT, with neither"
            f" --require-checksum nor {REQUIRE}=1."
        )
    yield


def read_json(path: Path, limit: int = 1 << 20) -> Any:
    """Read a JSON file of ours strictly: UTF-8, no duplicate keys, no NaN, bounded size and depth.

    Raises: DataError if it cannot be read; VerificationError naming the file and what is wrong.
    """
    text = read_text(path, limit)
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite
        )
        _check(value)
    except RecursionError:
        why = f"it nests deeper than {DEEPEST}"
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}: {error.msg}"
    except ValueError as error:  # ours, or a number with thousands of digits
        why = str(error)
    else:
        return value
    raise VerificationError(f"{path}: {why}. {BROKEN}")


def read_text(path: Path, limit: int = 1 << 20) -> str:
    """A whole text file of ours. Raises: DataError, VerificationError as `read_json` does."""
    if not path.is_file():
        raise DataError(f"{path} is missing, or not a file. Check the name.")
    try:
        with open(path, "rb") as file:
            # No more than there is: a reader takes the memory that it is asked for at once.
            data = file.read(min(limit, path.stat().st_size) + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > limit:
        raise VerificationError(f"{path} is larger than {limit:,} bytes. {BROKEN}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise VerificationError(f"{path}: byte {error.start} is not UTF-8. {BROKEN}") from error


def dump_json(value: Any) -> bytes:
    """JSON as all our files have it: indented, keys as given, one newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path)
    fine = isinstance(manifest, dict) and isinstance(manifest.get("format"), int)
    fine = fine and isinstance(manifest.get("files"), dict)
    if fine and manifest["format"] > FORMAT:
        raise VerificationError(
            f"{path} has format {manifest['format']}, this version reads up to {FORMAT}: it was"
            " made by a newer pellucid. Upgrade: pip install -U pellucid."
        )
    body = {k: v for k, v in manifest.items() if k != "seal"} if fine else {}
    # The seal makes a change of the manifest itself visible; whoever forges it can forge all.
    if path.read_bytes() != _sealed(body) or body.keys() != {"format", "files", "facts"}:
        raise VerificationError(f"{path} is not what was saved (its seal differs). {BROKEN}")
    for name, entry in body["files"].items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise VerificationError(
                f"{path} lists {name[:100]!r}, outside its directory. Do not use it."
            )
        if not isinstance(entry, dict) or entry.keys() != {"sha256", "bytes"}:
            raise VerificationError(f"{path}: {name[:100]!r} needs sha256 and bytes. {BROKEN}")
    return manifest


def _versions() -> dict[str, str]:
    """What the last bits of a result may depend on."""
    from importlib import metadata  # 0.08 s, which a help text should not cost

    found = {"python": platform.python_version()}
    for name in ("pellucid", "torch", "safetensors", "tokenizers"):
        with contextlib.suppress(metadata.PackageNotFoundError):  # pellucid run from its source
            found[name] = metadata.version(name)
    return found


def _sealed(body: dict[str, Any]) -> bytes:
    return dump_json({**body, "seal": hashlib.sha256(dump_json(body)).hexdigest()})


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """(relative name, path) of every file below. Raises: VerificationError at a link or device."""
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise VerificationError(
                    f"{path} is a link or a device: what it leads to is not checked. Replace it by"
                    " a plain file."
                )
            if path.is_file():
                yield path.relative_to(directory).as_posix(), path


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror}. Check its permissions and disk.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)[:60]!r} stands twice")
    return keys


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not a finite number")
    return value


def _check(value: Any) -> None:
    """Raises: ValueError at text that is no Unicode; RecursionError if nested too deep."""
    level = [value]
    for _ in range(DEEPEST):
        inner = []
        for item in level:
            if isinstance(item, str):
                item.encode()  # a lone surrogate: UnicodeEncodeError is a ValueError
            elif isinstance(item, dict):
                inner += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                inner += item
        level = inner
    if level:
        raise RecursionError
