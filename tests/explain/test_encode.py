"""Traces as JSON: what is read back is what was written.  Authority: the trace, and NumPy."""

import json

import numpy as np
import pytest

import pellucid
from pellucid.errors import DataError
from pellucid.explain.encode import decode, decode_array, encode, encode_array
from pellucid.explain.trace import trace


@pytest.fixture(scope="module")
def traced():
    return trace(pellucid.load("zh-en", device="cpu").bundle, "我爱你。")


def test_an_exact_trace_is_the_same_after_json(traced):
    again = decode(json.loads(json.dumps(encode(traced, exact=True))))
    assert (again.source, again.target) == (traced.source, traced.target)
    assert again.prediction == traced.prediction
    assert list(again.arrays) == list(traced.arrays)
    for name, array in traced.arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_the_error_of_half_precision_is_what_it_says(traced):
    record = json.loads(json.dumps(encode(traced)))
    for name, array in traced.arrays.items():
        actual, finite = decode_array(record["arrays"][name]), np.isfinite(array)
        np.testing.assert_array_equal(np.isfinite(actual), finite)
        differences = np.abs(actual[finite] - array[finite])
        assert differences.max(initial=0.0) == pytest.approx(record["arrays"][name]["error"])
        assert record["arrays"][name]["dtype"] == "float16"


def test_numbers_beyond_half_precision_stay_whole():
    array = np.array([[1e6, -np.inf], [0.1, np.nan]], np.float32)
    record = encode_array(array)
    assert (record["dtype"], record["error"]) == ("float32", 0.0)
    np.testing.assert_array_equal(decode_array(record), array)
    masked = np.array([0.5, -np.inf], np.float32)
    np.testing.assert_array_equal(decode_array(encode_array(masked)), masked)


def test_another_schema_is_an_error(traced):
    with pytest.raises(DataError, match="schema 99"):
        decode({**encode(traced), "schema": 99})
