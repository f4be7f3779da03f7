"""Arrays that follow from those of a trace by a formula."""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]


def derive(arrays: Arrays, scales: Mapping[str, float], name: str) -> np.ndarray | None:
    """Return the array of a name such as `encoder.layers.0.attention.raw_scores`, or None.

    Of an attention, over its queries and keys (H, T, K), (H, S, K):
    raw_scores (H, T, S): q k^T. scaled_scores: the same times the scale (1 / sqrt(K)).
    bias (H, T, S): what distances add to the scaled scores, in T5 and Transformer-XL.
    mask (T, S): 0 where a query may attend, -inf elsewhere.
    concatenated (T, H K): the heads' outputs side by side, which W_O reads.
    """
    path, _, last = name.rpartition(".")
    formula = _FORMULAS.get(last)
    return None if formula is None else formula(arrays, scales, path)


def _raw_scores(arrays: Arrays, scales: Mapping[str, float], path: str) -> np.ndarray | None:
    q, k = arrays.get(f"{path}.queries"), arrays.get(f"{path}.keys")
    return None if q is None or k is None else q @ k.swapaxes(-1, -2)


def _scaled_scores(arrays: Arrays, scales: Mapping[str, float], path: str) -> np.ndarray | None:
    raw = _raw_scores(arrays, scales, path)
    return None if raw is None or path not in scales else raw * np.float32(scales[path])


def _bias(arrays: Arrays, scales: Mapping[str, float], path: str) -> np.ndarray | None:
    if f"{path}.distances" in arrays or path.endswith(".cross"):
        return arrays.get(f"{path}.distances")
    return arrays.get(f"{path.partition('.')[0]}.distances.bias")  # T5: one for all layers


def _mask(arrays: Arrays, scales: Mapping[str, float], path: str) -> np.ndarray | None:
    scores = arrays.get(f"{path}.scores")
    if scores is None:
        return None
    return np.where(np.isneginf(scores[0]), -np.inf, 0.0).astype(np.float32)


def _concatenated(arrays: Arrays, scales: Mapping[str, float], path: str) -> np.ndarray | None:
    context = arrays.get(f"{path}.context")
    if context is None or context.ndim != 3:
        return None
    return context.swapaxes(0, 1).reshape(context.shape[1], -1)


_FORMULAS = {
    "raw_scores": _raw_scores,
    "scaled_scores": _scaled_scores,
    "bias": _bias,
    "mask": _mask,
    "concatenated": _concatenated,
}
