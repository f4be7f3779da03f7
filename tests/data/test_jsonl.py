"""JSONL. Authority: the json module, and places counted in the bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.jsonl import JsonlReader
from pellucid.data.records import read_records
from pellucid.errors import DataError

CONFIG = DataConfig()
ITEMS = (Column("text", "text"), Column("labels", "labels"), Column("score", "score"))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.text(max_size=3), values, min_size=1, max_size=4), st.booleans())
def test_each_character_of_each_text_is_located(tmp_path_factory, members, ascii_only):
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    text = json.dumps(members, ensure_ascii=ascii_only, separators=(" ,\t", " : "))
    path.write_bytes(text.encode() + b"\n")
    reader = JsonlReader(str(path), CONFIG)
    (row,) = reader
    assert row.fields == members
    raw = path.read_bytes()
    for key, value in members.items():
        place = reader.locate(row, key)
        assert raw[: place.byte - 1].rstrip(b' "').endswith(b":")
        for character, one in enumerate(value if isinstance(value, str) else ""):
            start = reader.locate(row, key, character).byte - 1
            spelled = json.dumps(one, ensure_ascii=ascii_only)[1:-1].encode()
            assert raw[start:].startswith(spelled)


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"text": "a", "labels": ["x", 3, True], "score": 2}, ("a", ("x", "3", "true"), 2.0)),
        ({"text": "a", "labels": "x, y,x", "score": "1e-3"}, ("a", ("x", "y"), 0.001)),
        ({"text": "a", "labels": [], "score": -1.5}, ("a", (), -1.5)),
        ({"text": "a", "labels": None, "score": " 7 "}, ("a", (), 7.0)),
    ],
)
def test_values(members, line, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(members) + "\n")
    assert next(read_records([str(path)], ITEMS, CONFIG)).values == line


@pytest.mark.parametrize(
    ("line", "byte", "word"),
    [
        ('{"text": "a", "labels": 3, "score": 1}', 25, "not a list of labels"),
        ('{"text": "a", "labels": ["x", ""], "score": 1}', 25, "label is empty"),
        ('{"text": "a", "labels": [], "score": "x"}', 39, "not a number"),
        ('{"text": "a", "labels": [], "score": true}', 38, "not a number"),
        ('{"text": "a", "labels": [], "score": 1e999}', 38, "finite"),
        ('{"text": "a", "labels": [], "score": 1e308}', 38, "finite"),  # infinity in float32
        ('{"text": "a", "labels": [], "score": 1' + "0" * 400 + "}", 38, "finite"),
        ('{"text": "a", "labels": [], "score": 1' + "0" * 5000 + "}", 1, "4300 digits"),
        ('{"text": "a", "labels": [1e308], "score": 1}', 25, "not a text"),
        ('{"text": "a", "labels": {"x": 1}, "score": 1}', 25, "not a list of labels"),
        ('{"text": "a", "labels": "x,,y", "score": 1}', 26, "label is empty"),
        ('["a", [], 1]', 1, "not a JSON object"),
        ('"text"', 1, "not a JSON object"),
        ("{}", 1, "not a JSON object"),
        ('{"text": "a", "labels": []}', 1, "no 'score' in this object"),
        ('{"text": "a", "labels": [], "score": 1}{}', 40, "Extra data"),
        ('{"text": "a", "labels": [], "text": "b", "score": 1}', 29, "comes twice"),
        ('{"text": "a\x01", "labels": [], "score": 1}', 12, "control character"),
        ('\ufeff{"text": "a", "labels": [], "score": 1}', 1, "not JSON"),
        ('{"text": "a\\u0000", "labels": [], "score": 1}', 12, "u0000"),
        ('{"text": "a", "labels": [], "score": "nan"}', 39, "finite"),
        ('{"text": "a", "labels": [], "score": "1_0"}', 39, "not a number"),
        ('{"text": "a", "labels": [], "score": NaN}', 1, "NaN"),
        ('{"text": "a", "labels": [], "score": null}', 0, "column score is empty"),
        ('{"text": " ", "labels": ["x"], "score": 1}', 0, "column text is empty"),
        ('{"text": ["a"], "labels": [], "score": 1}', 10, "list is not a text"),
        ('{"text": "aé\\ud800", "labels": [], "score": 1}', 14, "ud800"),
    ],
)
def test_faults_of_values(line, byte, word, tmp_path):
    path = tmp_path / "a.jsonl"
    good = '{"text": "a", "labels": ["x"], "score": 1}\n'
    path.write_text(good + line + "\n" + good)
    with pytest.raises(DataError, match=word) as caught:
        list(read_records([str(path)], ITEMS, CONFIG))
    start = f"{path}:2:" + (str(byte) if byte else "")
    assert str(caught.value).startswith(start + (": " if byte else " "))
