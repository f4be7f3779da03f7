"""What each attention head does, in numbers (Clark et al. 2019; Voita et al. 2019)."""

from typing import NamedTuple

import numpy as np


class HeadStatistics(NamedTuple):
    """Means over the queries of one head."""

    entropy: float
    """Of the weights, in nats: 0 if each query attends to one key, log S if to all alike."""
    distance: float
    """Expected distance |t - s| between query and key, in tokens."""
    previous: float
    """Weight on the token before the query."""
    first: float
    """Weight on the first token."""
    diagonal: float
    """Weight on the token at the query's own position."""


def head_statistics(weights: np.ndarray, memory: int = 0) -> list[HeadStatistics]:
    """Return the statistics of each head of attention weights (H, T, S).

    Rows that attend to nothing are left out. Positions of cross-attention are those of both texts.
    memory: number of keys before the text, of a Transformer-XL.
    """
    return [_of_head(rows.astype(np.float64), memory) for rows in weights]


def _of_head(rows: np.ndarray, memory: int) -> HeadStatistics:
    """rows: (T, S)."""
    used = rows.sum(-1) > 0
    queries, keys = np.arange(len(rows))[used, None], np.arange(rows.shape[1]) - memory
    rows = rows[used]
    if not len(rows):
        return HeadStatistics(0.0, 0.0, 0.0, 0.0, 0.0)
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)

    def weight_on(offset: int) -> float:
        return float((rows * (keys == queries + offset)).sum(-1).mean())

    return HeadStatistics(
        entropy=float(-(rows * logs).sum(-1).mean()),
        distance=float((rows * np.abs(queries - keys)).sum(-1).mean()),
        previous=weight_on(-1),
        first=float(rows[:, memory].mean()),
        diagonal=weight_on(0),
    )
