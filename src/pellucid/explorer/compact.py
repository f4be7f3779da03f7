"""A trace in few bytes: what a page can compute again is left out, and numbers have fewer bits.

Vectors are whole multiples of a scale for each row. Scores and weights are multiples of one small
step, so that the softmax of the stored scores differs from the stored weights by less than 0.002.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.explain.encode import deflate, encode, encode_array
from pellucid.explain.trace import Trace

LIMIT = 2_000_000
"""Bytes of the arrays in float16 and base64 above which a trace is stored in fewer."""
LEVELS = {
    "queries": 10,
    "keys": 10,
    "values": 10,
    "added": 10,
    "output": 10,
    "tokens": 10,
    "position_vectors": 10,
    "hidden": 4,
}
"""The largest multiple of a row's scale, by the end of an array's name."""
STEPS = {"scores": 1 / 256, "weights": 1 / 1024}
"""Scores that are wrong by e, here half a step, change a weight by at most e / 2."""
MOST = 2**15 - 1
"""The largest multiple of a step. One less than its negative stands for -inf."""
LEFT_OUT = ("expanded", "gates")
"""What enters the activation of a feed-forward network."""
SMALLEST = 9
"""Level of deflate that gives the fewest bytes."""
TOP = 200
"""Logits that are stored at each position, of a large vocabulary."""


def encode_compact(trace: Trace) -> dict[str, Any]:
    """Return a trace as JSON values, as `encode` does, in fewer bytes; `compact` is True.

    An array of dtype int8 has `scales`, one for each row; one of dtype int16 a `step`. One of dtype
    top has the largest values of each row, their `ids`, and the value `fill` of all others that
    keeps the row's softmax. Others are as `encode` has them.
    """
    record = encode(replace(trace, arrays={}))
    stored = {name: array for name, array in trace.arrays.items() if _is_stored(name, trace)}
    arrays = {name: _encode(name, array) for name, array in stored.items()}
    return {**record, "arrays": arrays, "compact": True}


def is_large(trace: Trace) -> bool:
    """Return whether the arrays of a trace need more than `LIMIT` bytes in float16 and base64."""
    return sum(array.size for array in trace.arrays.values()) * 2 * 4 / 3 > LIMIT


def _is_stored(name: str, trace: Trace) -> bool:
    path, _, last = name.rpartition(".")
    follows = last == "context" and f"{path}.values" in trace.arrays  # weights times values
    return last not in LEFT_OUT and not follows


def _encode(name: str, array: np.ndarray) -> dict[str, Any]:
    last = name.rpartition(".")[2]
    if last == "logits" and array.ndim == 2 and array.shape[1] > 2 * TOP:
        return encode_top(array)
    finite = np.where(np.isneginf(array), 0, array)
    if last in LEVELS and array.ndim > 1 and np.isfinite(array).all():
        return _quantize(array, LEVELS[last])
    if last in STEPS and np.abs(finite).max(initial=0.0) < MOST * STEPS[last]:
        return _round(array, STEPS[last])
    return encode_array(array)


def _round(array: np.ndarray, step: float) -> dict[str, Any]:
    """Return an array as multiples of a step; -inf is -MOST - 1."""
    is_open = ~np.isneginf(array)
    multiples = np.rint(np.where(is_open, array, 0) / step)
    error = np.abs(multiples * step - array, where=is_open, out=np.zeros_like(multiples)).max()
    stored = np.where(is_open, multiples, -MOST - 1).astype("<i2")
    return {
        "dtype": "int16",
        "shape": list(array.shape),
        "data": deflate(stored, SMALLEST),
        "step": step,
        "error": float(error),
    }


def _quantize(array: np.ndarray, levels: int) -> dict[str, Any]:
    """Return an array as multiples of the largest number of each row divided by `levels`."""
    rows = array.reshape(-1, array.shape[-1]).astype(np.float32)  # (R, D)
    scales = np.abs(rows).max(1, initial=0.0).astype(np.float32) / np.float32(levels)  # (R,)
    safe = np.where(scales > 0, scales, 1)[:, None]  # (R, 1)
    multiples = np.rint(rows / safe).astype(np.int8)
    error = np.abs(multiples * scales[:, None] - rows).max(initial=0.0)
    return {
        "dtype": "int8",
        "shape": list(array.shape),
        "data": deflate(multiples, SMALLEST),
        "scales": deflate(scales.astype("<f4"), SMALLEST),
        "error": float(error),
    }


def encode_top(logits: np.ndarray) -> dict[str, Any]:
    """Return the largest of logits (T, V); the others of a row share what probability is left."""
    ids = np.empty((len(logits), TOP), "<i4")
    values, fill = np.empty(ids.shape, "<f4"), np.empty(len(logits), "<f4")
    for i, row in enumerate(logits.astype(np.float32, copy=False)):  # one by one: there may be many
        ids[i] = np.argsort(-row, kind="stable")[:TOP]
        values[i] = row[ids[i]]
        others = np.delete(row, ids[i]).astype(np.float64)
        most = others.max()
        fill[i] = most + np.log(np.exp(others - most).mean())
    return {
        "dtype": "top",
        "shape": list(logits.shape),
        "data": deflate(values, SMALLEST),
        "ids": deflate(ids, SMALLEST),
        "fill": deflate(fill, SMALLEST),
        "error": 0.0,
    }
