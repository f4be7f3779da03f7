"""Traces in few bytes.

Authority: NumPy, which reads the stored bytes here without the code that wrote them; algebra, for
what the softmax of stored scores and logits must keep; the trace itself, for the stated errors.
"""

import base64
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.explorer import compact
from pellucid.explorer.compact import encode_compact, encode_full, is_large
from pellucid.nn.feed_forward import ACTIVATIONS

TEXT = "我喜欢这个美丽花园"


@pytest.fixture(scope="module")
def trace():
    return pellucid.load("zh-en", device="cpu").trace(TEXT)


@pytest.fixture(scope="module")
def record(trace):
    return encode_compact(trace)


def unpack(text, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def join_planes(text):
    low, high = unpack(text, "u1").reshape(2, -1).astype("<u2")
    return low | high << 8


def read(array):
    """The numbers of a stored array, as the page computes them."""
    shape = array["shape"]
    if array["dtype"] == "int8":
        rows = unpack(array["data"], "i1").reshape(-1, shape[-1])
        return (rows * unpack(array["scales"], "<f4")[:, None]).reshape(shape)
    if array["dtype"] == "int16":
        whole = join_planes(array["data"]).view("<i2").reshape(shape)
        return np.where(whole == -(2**15), -np.inf, whole * array["step"])
    if array["dtype"] == "top":
        numbers = np.repeat(unpack(array["fill"], "<f4")[:, None], shape[1], 1)
        ids = unpack(array["ids"], "<i4").reshape(shape[0], -1)
        np.put_along_axis(numbers, ids, unpack(array["data"], "<f4").reshape(ids.shape), 1)
        return numbers
    if array["dtype"] == "planes":
        return join_planes(array["data"]).view("<f2").reshape(shape)
    return unpack(array["data"], {"float16": "<f2", "float32": "<f4"}[array["dtype"]]).reshape(
        shape
    )


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_a_full_page_has_every_number_or_what_it_follows_from(trace):
    arrays = encode_full(trace)["arrays"]
    for name, exact in trace.arrays.items():
        path, _, last = name.rpartition(".")
        if last == "context":
            stored = read(arrays[f"{path}.weights"]) @ read(arrays[f"{path}.values"]).astype(float)
        elif last == "hidden":
            stored = np.maximum(read(arrays[f"{path}.expanded"]), 0)  # ReLU
        elif last == "logits":
            stored, exact = (np.sort(each)[:, -1000:] for each in (read(arrays[name]), exact))
        else:
            stored, is_open = read(arrays[name]), np.isfinite(exact)
            difference = np.abs(stored[is_open] - exact[is_open]).max()
            assert difference == pytest.approx(arrays[name]["error"], abs=1e-6), name
        np.testing.assert_allclose(stored, exact, rtol=1e-3, atol=2e-3, err_msg=name)
    left_out = {name.rpartition(".")[2] for name in trace.arrays.keys() - arrays.keys()}
    assert left_out == {"context", "hidden"}


def test_the_page_has_every_activation_that_it_computes():
    page = (Path(__file__).parents[2] / "ui/src/math/activations.ts").read_text()
    assert set(re.findall(r"^  \W?([a-z-]+)\W?: ", page, re.M)) == set(ACTIVATIONS)


def test_stated_errors_are_the_errors(trace, record):
    for name, array in record["arrays"].items():
        if array["dtype"] == "top":
            continue
        stored, exact = read(array), trace[name]
        is_open = np.isfinite(exact)
        np.testing.assert_array_equal(np.isfinite(stored), is_open)
        difference = np.abs(stored[is_open] - exact[is_open]).max()
        assert difference == pytest.approx(array["error"], abs=1e-6), name
        # Half a multiple, of which a row's largest number has at least 4; 10 for vectors.
        share = 1 / 8 if name.endswith(".hidden") else 1 / 20
        assert difference <= share * np.abs(exact[is_open]).max() + 1e-6, name


def test_only_what_follows_is_left_out(trace, record):
    left_out = {name.rpartition(".")[2] for name in trace.arrays.keys() - record["arrays"].keys()}
    assert left_out == {"context", "expanded"}
    assert record["compact"]


def test_weights_follow_from_scores(trace, record):
    for path in trace.attentions:
        weights = read(record["arrays"][f"{path}.weights"])
        again = softmax(read(record["arrays"][f"{path}.scores"]))
        assert np.abs(again - weights).max() < 2e-3
        assert np.abs(weights - trace[f"{path}.weights"]).max() < 1e-3


def test_the_distribution_stays(trace, record):
    array = record["arrays"]["heads.lm.logits"]
    assert array["dtype"] == "top"
    stored, exact = softmax(read(array).astype(float)), softmax(trace["heads.lm.logits"])
    top = np.argsort(-exact, 1)[:, :100]
    kept, real = (np.take_along_axis(each, top, 1) for each in (stored, exact))
    np.testing.assert_allclose(kept, real, atol=1e-6)
    np.testing.assert_allclose(stored.sum(1) - kept.sum(1), exact.sum(1) - real.sum(1), atol=1e-5)


def test_small_traces_are_stored_in_full(trace, monkeypatch):
    assert not is_large(trace)
    monkeypatch.setattr(compact, "LIMIT", 1000)
    assert is_large(trace)
