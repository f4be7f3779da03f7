"""Authority: hand-made faults, each of which must be named; hashlib for the digests."""

import hashlib
import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError, VerificationError
from pellucid.manifest import dump_json, read_json, verify, write_manifest


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
    "changed": (lambda d: (d / "a.txt").write_bytes(b"onE"), r"a\.txt has other content"),
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
    "other manifest": (lambda d: (d / "manifest.json").write_bytes(b"{}"), r"not what was saved"),
    "a list": (lambda d: (d / "manifest.json").write_bytes(b"[]"), r"not what was saved"),
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
    "files no mapping": (lambda d: reseal(d, lambda b: b.update(files=[1])), r"not what was saved"),
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


HOSTILE = {
    b'{"a": 1, "a": 2}': "key 'a' stands twice",
    b'{"a": {"b": 1, "b": 1}}': "key 'b' stands twice",
    b"NaN": "NaN is not a finite",
    b"[-Infinity]": "-Infinity is not a finite",
    b"1e999": "1e999 is not a finite",
    b"[" * 100_000: "nests deeper than 64",
    b'{"a":' * 100_000: "nests deeper than 64",
    b"[" * 65 + b"]" * 65: "nests deeper than 64",
    b"9" * 10_000: "digits",
    b'"\\ud800"': "surrogates not allowed",
    b'{"\\udfff": 1}': "surrogates not allowed",
    b'"\xff"': "byte 1 is not UTF-8",
    b"\xef\xbb\xbf{}": "line 1",
    b"{} {}": "line 1: Extra data",
    b"{\n'a': 1}": "line 2",
    b"": "line 1",
    b" " * 1_048_577: "larger than 1,048,576 bytes",
}


@pytest.mark.parametrize("data", HOSTILE, ids=[why[:25] for why in HOSTILE.values()])
def test_hostile_json_is_refused_by_name_and_quickly(tmp_path, data):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    begin = time.perf_counter()
    with pytest.raises(VerificationError, match=HOSTILE[data]) as caught:
        read_json(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert time.perf_counter() - begin < 1


def test_json_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name in ("none", "fifo", "."):
        with pytest.raises(DataError, match="missing, or not a file"):
            read_json(tmp_path / name)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_what_is_written_is_read(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    path.write_bytes(dump_json(value))
    assert read_json(path) == value


@settings(max_examples=500, deadline=None)
@given(
    data=st.binary(max_size=200)
    | st.text('[]{}",:0123456789eE.-+nultrfasINy\\ \n', max_size=80).map(str.encode)
)
def test_any_bytes_give_a_value_or_a_clean_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(data)
    try:
        value = read_json(path)
    except VerificationError:
        return
    assert json.loads(data) == value  # the library's own reading, where ours is not stricter
