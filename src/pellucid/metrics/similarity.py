"""Correlations of predicted with gold scores. Source: scipy.stats, `pearsonr` and `spearmanr`."""

import numpy as np

from pellucid.errors import DataError


def pearson(predicted: np.ndarray, gold: np.ndarray) -> float:
    """Return the linear correlation, from -1 to 1; 0 if one side is constant.

    predicted, gold: (N,). Raises: DataError if there are no scores, or not as many on both sides.
    """
    if predicted.shape != gold.shape or not len(gold):
        raise DataError(
            f"{len(predicted)} predicted scores for {len(gold)} gold ones: each pair of texts needs"
            " both, and there must be one. Check the test set."
        )
    if np.ptp(predicted) == 0 or np.ptp(gold) == 0:
        return 0.0
    x, y = (side.astype(np.float64) - side.mean(dtype=np.float64) for side in (predicted, gold))
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1.0, 1.0))


def spearman(predicted: np.ndarray, gold: np.ndarray) -> float:
    """Return the correlation of ranks. Raises: as `pearson`."""
    return pearson(rank(predicted), rank(gold))


def rank(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, from 1; equal values have the mean of their ranks. (N,)"""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[index]
