"""Download models by `hf://owner/name[@revision]`. No other name uses the network.

Each commit is downloaded once, into a directory with a manifest. A name with a full commit hash (40
hex digits) then opens offline; for any other name the hub is asked for the current commit.
Only files that a model directory needs are downloaded: never pickles or code.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pellucid.errors import DataError, PellucidError, UsageError, VerificationError
from pellucid.files import publish, user_cache
from pellucid.formats.import_published import COPIED_FILES

PREFIX = "hf://"
NAME = re.compile(r"hf://([\w-][\w.-]*)/([\w-][\w.-]*)(?:@([\w-][\w./-]*))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")
STEP = re.compile(r"\d{1,2}_\w{1,40}/(config\.json|model\.safetensors)")  # of sentence-transformers
NEEDED_FILES = {
    *COPIED_FILES,
    "config.json",
    *(f"{side}_tokenizer{end}.json" for side in ("source", "target") for end in ("", "_config")),
}
"""Files of a model directory other than weights."""


def is_hub_name(name: object) -> bool:
    """Return whether a name has the form `hf://...`."""
    return str(name).startswith(PREFIX)


def fetch(name: str) -> Path:
    """Return the directory of a published model; download it unless this commit is there already.

    Sizes and checksums are compared with the hub's. Raises: UsageError if the name is malformed or
    huggingface_hub is not installed; DataError if the download fails; VerificationError if a file
    differs; ResourceError if the disk is full.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise UsageError(
            f"{name[:80]!r} is not a hub name. Write hf://owner/name, or hf://owner/name@revision."
        )
    repository, revision = f"{match[1]}/{match[2]}", match[3]
    home = cache_directory() / f"{match[1]}--{match[2]}"
    if revision and COMMIT.fullmatch(revision) and (home / revision).is_dir():
        return home / revision
    try:
        import huggingface_hub
    except ImportError as error:
        raise UsageError(
            f"{name} must be downloaded, which needs: pip install 'pellucid[hub]'. Or give a"
            " directory."
        ) from error
    try:
        api = huggingface_hub.HfApi()
        info = api.model_info(repository, revision=revision, files_metadata=True)
        return _download_commit(api, info, repository, home)
    except PellucidError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        commits = sorted(path.name for path in home.glob("*") if COMMIT.fullmatch(path.name))
        here = ", ".join(f"{PREFIX}{repository}@{commit}" for commit in commits)
        raise DataError(
            f"{name} cannot be fetched ({type(error).__name__}: {reason}). Check the name and the"
            " network, or download it by other means and give its directory."
            + (f" Downloaded before: {here}." if here else "")
        ) from error


def cache_directory() -> Path:
    """Return the directory of all downloads."""
    return user_cache() / "hub"


def select_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository to download. Raises: DataError without weights."""
    available = list(names)
    needed = [
        name
        for name in available
        if name in NEEDED_FILES or WEIGHTS.fullmatch(name) or STEP.fullmatch(name)
    ]
    if "config.json" not in needed or not any(map(WEIGHTS.fullmatch, needed)):
        has_pickle = any(name.endswith((".bin", ".pt")) for name in available)
        raise DataError(
            "no config.json with safetensors is available"
            + (
                ", but a pickle, which is never fetched. If you trust it, download it yourself:"
                " pellucid import DIR OUT --from-pickle."
                if has_pickle
                else ". Is it a model of a family that `pellucid info` knows?"
            )
        )
    return sorted(needed)


def _download_commit(api: Any, info: Any, repository: str, home: Path) -> Path:
    """Return the directory of the commit in `info`; download it unless it exists."""
    if not COMMIT.fullmatch(str(info.sha)):  # it becomes a path
        raise DataError(
            f"{PREFIX}{repository}: the hub names no commit ({str(info.sha)[:60]!r}). Use another"
            " hub, or give a directory."
        )
    directory = home / info.sha
    try:
        if not directory.is_dir():
            _download(api, info, repository, directory)
    except DataError:
        if not directory.is_dir():
            raise  # otherwise another process has downloaded it in the meantime
    return directory


def _download(api: Any, info: Any, repository: str, directory: Path) -> None:
    """Download, verify and publish the files of a commit."""
    entries = {entry.rfilename: entry for entry in info.siblings or ()}
    names = select_files(entries)
    facts = {"from": f"{PREFIX}{repository}@{info.sha}"}
    needs = sum(entries[name].size or 0 for name in names)
    with publish(directory, needs=needs, facts=facts) as temp:
        for name in names:
            path = api.hf_hub_download(repository, name, revision=info.sha, local_dir=temp)
            _check(Path(path), entries[name])
        shutil.rmtree(temp / ".cache", ignore_errors=True)  # the client's own records


def _check(path: Path, entry: Any) -> None:
    """Raises: VerificationError if size or checksum differ from those of the hub."""
    size = path.stat().st_size
    if entry.lfs is not None:
        right, algorithm, head = entry.lfs.sha256, "sha256", b""
    else:  # git's blob id: the sha1 of size and content
        right, algorithm, head = entry.blob_id, "sha1", f"blob {size}\0".encode()
    digest = hashlib.new(algorithm, head, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if size != entry.size or digest.hexdigest() != right:
        raise VerificationError(
            f"{entry.rfilename} has {size:,} bytes ({algorithm} {digest.hexdigest()[:12]}), but on"
            f" the hub {entry.size:,} ({str(right)[:12]}). Nothing was saved: download it again."
        )
