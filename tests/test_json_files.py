"""Authority: what each damaged or hostile file holds, by hand; json.loads for what is sound."""

import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError, VerificationError
from pellucid.json_files import dump_json, read_json

HOSTILE = {
    b'{"a": 1, "a": 2}': "key 'a' occurs twice",
    b'{"a": {"b": 1, "b": 1}}': "key 'b' occurs twice",
    b"NaN": "NaN is not a finite",
    b"[-Infinity]": "-Infinity is not a finite",
    b"1e999": "1e999 is not a finite",
    b"[" * 100_000: "nests deeper than 64",
    b'{"a":' * 100_000: "nests deeper than 64",
    b"[" * 65 + b"]" * 65: "nests deeper than 64",
    b"9" * 10_000: "digits",
    b'"\\ud800"': "is a lone surrogate",
    b'{"\\udfff": 1}': "is a lone surrogate",
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
    assert json.loads(data) == value  # as the json module reads it, where ours is not stricter
