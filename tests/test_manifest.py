"""Authority: hand-made faults, each of which must be named; hashlib for the digests."""

import hashlib
import json
import os

import pytest

from pellucid.errors import DataError, VerificationError
from pellucid.json_files import dump_json
from pellucid.manifest import verify, verify_while_reading, write_manifest


@pytest.fixture
def made(tmp_path):
    made = tmp_path / "made"
    (made / "inner").mkdir(parents=True)
    (made / "a.txt").write_bytes(b"one")
    (made / "inner" / "b.txt").write_bytes(b"two")
    write_manifest(made, {"threads": 2})
    return made


def reseal(directory, change):
    """A manifest that is whole in itself but says something else, as a newer version might."""
    path = directory / "manifest.json"
    body = json.loads(path.read_bytes())
    del body["seal"]
    change(body)
    path.write_bytes(dump_json({**body, "seal": hashlib.sha256(dump_json(body)).hexdigest()}))


def test_says_what_is_there(made):
    manifest = verify(made)
    assert manifest["files"] == {
        "a.txt": {"sha256": hashlib.sha256(b"one").hexdigest(), "bytes": 3},
        "inner/b.txt": {"sha256": hashlib.sha256(b"two").hexdigest(), "bytes": 3},
    }
    assert manifest["facts"]["threads"] == 2
    assert manifest["facts"]["torch"]


FAULTS = {
    "changed": (lambda d: (d / "a.txt").write_bytes(b"onE"), r"a\.txt has changed since"),
    "longer": (lambda d: (d / "a.txt").write_bytes(b"onee"), r"a\.txt has 4 bytes instead of 3"),
    "empty": (lambda d: (d / "inner/b.txt").write_bytes(b""), r"b\.txt has 0 bytes"),
    "missing": (lambda d: (d / "inner/b.txt").unlink(), r"inner/b\.txt is missing"),
    "unlisted": (lambda d: (d / "x.bin").write_bytes(b""), r"x\.bin is not in the manifest"),
    "link": (lambda d: (d / "x").symlink_to("/etc/hostname"), r"x is a link"),
    "linked folder": (lambda d: (d / "x").symlink_to("/etc"), r"x is a link"),
    "fifo": (lambda d: os.mkfifo(d / "x"), r"x is a link or a device"),
    "linked file": (
        lambda d: ((d / "a.txt").rename(d.parent / "a"), (d / "a.txt").symlink_to("../a")),
        r"a\.txt is a link",
    ),
    "no manifest": (lambda d: (d / "manifest.json").unlink(), r"has no manifest\.json"),
    "empty manifest": (lambda d: (d / "manifest.json").write_bytes(b""), r"manifest\.json: line 1"),
    "other manifest": (lambda d: (d / "manifest.json").write_bytes(b"{}"), r"not a manifest of"),
    "a list": (lambda d: (d / "manifest.json").write_bytes(b"[]"), r"not a manifest of"),
    "appended": (
        lambda d: (d / "manifest.json").write_bytes((d / "manifest.json").read_bytes() + b" "),
        r"its seal differs",
    ),
    "newer": (lambda d: reseal(d, lambda b: b.update(format=2)), r"newer pellucid. Upgrade"),
    "outside": (
        lambda d: reseal(d, lambda b: b["files"].update({"../up": b["files"]["a.txt"]})),
        r"'\.\./up', outside",
    ),
    "absolute": (
        lambda d: reseal(d, lambda b: b["files"].update({"/etc/x": b["files"]["a.txt"]})),
        r"outside",
    ),
    "files no mapping": (lambda d: reseal(d, lambda b: b.update(files=[1])), r"another tool"),
    "entry no mapping": (lambda d: reseal(d, lambda b: b["files"].update(x=1)), r"'x' needs"),
    "key too many": (lambda d: reseal(d, lambda b: b.update(more=1)), r"not what was saved"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_named(made, name):
    damage, message = FAULTS[name]
    verify(made)
    damage(made)
    with pytest.raises(VerificationError, match=message):
        verify(made)


def test_every_flipped_bit_of_the_manifest_is_seen(made):
    path = made / "manifest.json"
    whole = path.read_bytes()
    for i in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1 :])
            with pytest.raises(VerificationError):
                verify(made, deep=False)


def test_shallow_check_sees_sizes_alone(made):
    (made / "a.txt").write_bytes(b"onE")
    verify(made, deep=False)
    (made / "a.txt").write_bytes(b"on")
    with pytest.raises(VerificationError):
        verify(made, deep=False)


def test_no_directory(tmp_path):
    with pytest.raises(DataError, match="is not a directory"):
        verify(tmp_path / "none")


def test_pointers_of_git_lfs_are_named(tmp_path):
    """Authority: the specification of Git LFS: a pointer's first line, and 1,024 bytes at most."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "ab" * 32 + "\nsize 9\n"
    folder = tmp_path / "a clone"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(pointer)
    with pytest.raises(VerificationError) as error, verify_while_reading(folder):
        pass
    assert f"{folder / 'model.safetensors'} is a Git LFS pointer" in str(error.value)
    assert f"git -C '{folder}' lfs pull" in str(error.value)
    write_manifest(folder)
    with pytest.raises(VerificationError, match="Git LFS pointer"):
        verify(folder)
    (folder / "model.safetensors").write_text(pointer + "x" * 1024)
    write_manifest(folder)
    verify(folder)


def test_a_manifest_of_another_tool_is_named(made):
    (made / "manifest.json").write_text('{"name": "model", "files": []}')
    path = made / "manifest.json"
    with pytest.raises(
        VerificationError, match=rf"another tool .* rename it \(mv {path} {path}.other\)"
    ):
        verify(made)
