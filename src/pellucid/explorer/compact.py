"""A trace in few bytes: what a page can compute again is left out, and numbers have fewer bits.

In full, numbers have 16 bits. Compact, vectors are whole multiples of a scale for each row. Scores
and weights are multiples of one small step, so that the softmax of the stored scores differs from
the stored weights by less than 0.002.
"""

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pellucid.decoding.top_k import find_largest
from pellucid.explain.encode import deflate, encode, encode_array, to_half
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
ENTERS_ACTIVATION = ("expanded", "gates")
"""What enters the activation of a feed-forward network."""
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY)
"""Noise has no strings that come again, so looking for them may cost bytes."""
TOP, TOP_IN_FULL = 200, 1000
"""Logits that are stored at each position, of a large vocabulary."""


def encode_full(trace: Trace) -> dict[str, Any]:
    """Return a trace as JSON values, as `encode` does, without what the page computes.

    That is what heads mix, and what leaves an activation whose input is stored. An array of dtype
    planes has float16 numbers: the low bytes of all, then the high ones, which deflates better.
    """
    return _encode_arrays(trace, _follows, _encode_exactly)


def encode_compact(trace: Trace) -> dict[str, Any]:
    """Return a trace as JSON values, as `encode` does, in fewer bytes; `compact` is True.

    An array of dtype int8 has `scales`, one for each row; one of dtype int16, with its bytes in
    planes too, a `step`. One of dtype top has the largest values of each row, their `ids`, and the
    value `fill` of all others that keeps the row's softmax. Others are as `encode` has them.
    """
    return {**_encode_arrays(trace, _is_not_compact, _encode), "compact": True}


def is_large(trace: Trace) -> bool:
    """Return whether the arrays of a trace need more than `LIMIT` bytes in float16 and base64."""
    return sum(array.size for array in trace.arrays.values()) * 2 * 4 / 3 > LIMIT


def _encode_arrays(
    trace: Trace,
    is_left_out: Callable[[str, Trace], bool],
    encode_one: Callable[[str, np.ndarray], dict[str, Any]],
) -> dict[str, Any]:
    stored = {n: array for n, array in trace.arrays.items() if not is_left_out(n, trace)}
    arrays = {name: encode_one(name, array) for name, array in stored.items()}
    return {**encode(replace(trace, arrays={})), "arrays": arrays}


def _follows(name: str, trace: Trace) -> bool:
    path, _, last = name.rpartition(".")
    if last == "hidden":
        return f"{path}.expanded" in trace.arrays and f"{path}.gates" not in trace.arrays
    return _is_mixture(name, trace)


def _is_not_compact(name: str, trace: Trace) -> bool:
    return name.rpartition(".")[2] in ENTERS_ACTIVATION or _is_mixture(name, trace)


def _is_mixture(name: str, trace: Trace) -> bool:
    """Return whether an array is weights times values, both of which are in the trace."""
    path, _, last = name.rpartition(".")
    return last == "context" and f"{path}.values" in trace.arrays


def _encode_exactly(name: str, array: np.ndarray) -> dict[str, Any]:
    if _has_top(name, array, TOP_IN_FULL):
        return encode_top(array, TOP_IN_FULL)
    half, error = to_half(array)
    if half is None:
        return encode_array(array)
    return {
        "dtype": "planes",
        "shape": list(array.shape),
        "data": _deflate(_split_bytes(half)),
        "error": error,
    }


def _has_top(name: str, array: np.ndarray, top: int) -> bool:
    return name.endswith(".logits") and array.ndim == 2 and array.shape[1] > 2 * top


def _encode(name: str, array: np.ndarray) -> dict[str, Any]:
    last = name.rpartition(".")[2]
    if _has_top(name, array, TOP):
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
        "data": _deflate(_split_bytes(stored)),
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
        "data": _deflate(multiples),
        "scales": _deflate(scales.astype("<f4")),
        "error": float(error),
    }


def encode_top(logits: np.ndarray, top: int = TOP) -> dict[str, Any]:
    """Return the largest of logits (T, V); the others of a row share what probability is left."""
    ids = np.empty((len(logits), top), "<i4")
    values, fill = np.empty(ids.shape, "<f4"), np.empty(len(logits), "<f4")
    for i, row in enumerate(logits.astype(np.float32, copy=False)):  # one by one: there may be many
        ids[i] = find_largest(torch.from_numpy(row), top)
        values[i] = row[ids[i]]
        others = np.delete(row, ids[i]).astype(np.float64)
        most = others.max()
        fill[i] = most + np.log(np.exp(others - most).mean())
    return {
        "dtype": "top",
        "shape": list(logits.shape),
        "data": _deflate(values),
        "ids": _deflate(ids),
        "fill": _deflate(fill),
        "error": 0.0,
    }


def _split_bytes(array: np.ndarray) -> np.ndarray:
    """Return the low bytes of an array of 16-bit numbers, then the high ones: (2, N)."""
    return np.ascontiguousarray(array).reshape(-1).view("u1").reshape(-1, 2).T


def _deflate(array: np.ndarray) -> str:
    """Return the bytes of an array, deflated in the best of some ways, in base64."""
    return min((deflate(array, 9, strategy) for strategy in STRATEGIES), key=len)
