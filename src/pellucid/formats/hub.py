"""`hf://owner/name[@revision]`: the only names that touch a network, and what may come from there.

A model is fetched once into a directory with a manifest. By its whole commit (@ and 40 hex digits)
it then opens without a network; of any other name the hub is asked what commit that is now.
Never fetched: pickles, code, and whatever else a model directory does not need.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pellucid.errors import DataError, PellucidError, UsageError, VerificationError
from pellucid.files import publish, user_cache
from pellucid.formats.import_published import KEPT

PREFIX = "hf://"
NAME = re.compile(r"hf://([\w-][\w.-]*)/([\w-][\w.-]*)(?:@([\w-][\w./-]*))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")
STEP = re.compile(r"\d{1,2}_\w{1,40}/(config\.json|model\.safetensors)")  # of sentence-transformers
NEEDED = {
    *KEPT,
    "config.json",
    *(f"{side}_tokenizer{end}.json" for side in ("source", "target") for end in ("", "_config")),
}
"""What a model directory may hold beside its weights."""


def is_hub_name(name: object) -> bool:
    """Whether a name asks for a download."""
    return str(name).startswith(PREFIX)


def fetch(name: str) -> Path:
    """The directory of a published model, downloaded unless this commit of it is here already.

    Sizes and checksums that the hub tells are verified. Raises: UsageError at a malformed name or
    without the extra; DataError if it cannot be fetched; VerificationError if other bytes came;
    ResourceError if the disk is full.
    """
    found = NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"{name[:80]!r} is no hub name. Write hf://owner/name, or ...@revision.")
    repository, revision = f"{found[1]}/{found[2]}", found[3]
    home = cache() / f"{found[1]}--{found[2]}"
    if revision and COMMIT.fullmatch(revision) and (home / revision).is_dir():
        return home / revision
    try:
        import huggingface_hub
    except ImportError as error:
        raise UsageError(
            f"{name} is to be downloaded, which needs: pip install 'pellucid[hub]'. Or give a"
            " directory."
        ) from error
    try:
        api = huggingface_hub.HfApi()
        told = api.model_info(repository, revision=revision, files_metadata=True)
        return _fetched(api, told, repository, home)
    except PellucidError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        commits = sorted(path.name for path in home.glob("*") if COMMIT.fullmatch(path.name))
        here = ", ".join(f"{PREFIX}{repository}@{commit}" for commit in commits)
        raise DataError(
            f"{name} cannot be fetched ({type(error).__name__}: {said}). Check the name and the"
            " network, or download it by other means and give its directory."
            + (f" Here already: {here}." if here else "")
        ) from error


def cache() -> Path:
    """Where downloads are kept."""
    return user_cache() / "hub"


def wanted(names: Iterable[str]) -> list[str]:
    """Of a repository's files those that are fetched. Raises: DataError if no weights are."""
    there = list(names)
    found = [
        name for name in there if name in NEEDED or WEIGHTS.fullmatch(name) or STEP.fullmatch(name)
    ]
    if "config.json" not in found or not any(map(WEIGHTS.fullmatch, found)):
        pickled = any(name.endswith((".bin", ".pt")) for name in there)
        raise DataError(
            "no config.json with safetensors is there"
            + (
                ", but a pickle, which is never fetched. If you trust it, download it yourself:"
                " pellucid import DIR OUT --from-pickle."
                if pickled
                else ". Is it a model of a family that `pellucid info` knows?"
            )
        )
    return sorted(found)


def _fetched(api: Any, told: Any, repository: str, home: Path) -> Path:
    """The directory of the commit that the hub told, downloaded unless it is here."""
    if not COMMIT.fullmatch(str(told.sha)):  # it becomes a path
        raise DataError(
            f"{PREFIX}{repository}: the hub names no commit ({str(told.sha)[:60]!r}). Use another"
            " hub, or give a directory."
        )
    place = home / told.sha
    try:
        if not place.is_dir():
            _download(api, told, repository, place)
    except DataError:
        if not place.is_dir():
            raise  # if it is there, another process has fetched it meanwhile
    return place


def _download(api: Any, told: Any, repository: str, place: Path) -> None:
    """Publish the files of one commit: whole and verified, or not there."""
    entries = {entry.rfilename: entry for entry in told.siblings or ()}
    names = wanted(entries)
    facts = {"from": f"{PREFIX}{repository}@{told.sha}"}
    needs = sum(entries[name].size or 0 for name in names)
    with publish(place, needs=needs, facts=facts) as temp:
        for name in names:
            got = api.hf_hub_download(repository, name, revision=told.sha, local_dir=temp)
            _check(Path(got), entries[name])
        shutil.rmtree(temp / ".cache", ignore_errors=True)  # the client's own notes


def _check(path: Path, entry: Any) -> None:
    """Raises: VerificationError if a file is not what the hub says it is."""
    size = path.stat().st_size
    if entry.lfs is not None:
        right, algorithm, head = entry.lfs.sha256, "sha256", b""
    else:  # git's own name of a file: the sha1 of its size and content
        right, algorithm, head = entry.blob_id, "sha1", f"blob {size}\0".encode()
    digest = hashlib.new(algorithm, head, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if size != entry.size or digest.hexdigest() != right:
        raise VerificationError(
            f"{entry.rfilename} came as {size:,} bytes ({algorithm} {digest.hexdigest()[:12]}), but"
            f" the hub says {entry.size:,} ({str(right)[:12]}). Nothing was kept: fetch it again."
        )
