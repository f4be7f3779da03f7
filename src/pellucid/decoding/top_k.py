"""The best continuations of many texts, sorted_values without sorting a vocabulary."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

WIDTH = 128
"""Values in a block: wide enough for vector units, narrow enough that n blocks are little."""

INF = float("inf")


class Candidates(NamedTuple):
    """Continuations, best first, on the host; where fewer than n exist the rest is -inf."""

    values: np.ndarray  # (B, n) float32, score of the parent plus log-probability of the token
    parents: np.ndarray  # (B, n) int64, the row of its source that it continues
    tokens: np.ndarray  # (B, n) int64


def best_continuations(
    logits: Tensor, scores: Tensor, excluded: Tensor, n: int, width: int = WIDTH
) -> Candidates:
    """The n best (row, token) of each source, ties to the lower row, then the lower token.

    logits: (B*k, V). scores: (B, k), of the k rows of each source so far. excluded: (E,) ids that
    are never chosen; their probability is not given to others. width: see `top_k`.
    """
    log_probs = logits.log_softmax(-1).index_fill_(1, excluded, -INF)  # (B*k, V)
    return best_sums(log_probs, scores, n, width)


def best_sums(log_probs: Tensor, scores: Tensor, n: int, width: int = WIDTH) -> Candidates:
    """As `best_continuations`, from log_probs (B*k, V), which are modified."""
    sums = log_probs.view(*scores.shape, -1).add_(scores[:, :, None]).flatten(1)  # (B, k * V)
    # One candidate more than n shows whether the last one has an equal outside.
    values, indices = top_k(sums, n + 1, width)
    n_missing = n + 1 - values.shape[1]
    if n_missing > 0:
        values = np.pad(values, ((0, 0), (0, n_missing)), constant_values=-np.inf)
        indices = np.pad(indices, ((0, 0), (0, n_missing)))
    tied = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -np.inf)
    if tied.any():
        _break_ties(sums, values, indices)
    parents, tokens = np.divmod(indices[:, :n], log_probs.shape[1])
    return Candidates(values[:, :n], parents, tokens)


def top_k(sums: Tensor, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The n greatest of each row of sums (B, N), best first: values (B, n), indices (B, n).

    Among equals any may be taken. Exact: a row is cut into blocks of `width`, and its n best lie
    in the n blocks with the greatest maxima, since each better block holds a better value. The
    rest at the row's end is always included.
    """
    b, size = sums.shape
    n_blocks = size // width
    if n_blocks <= n:
        values, indices = sums.topk(min(n, size))
        return values.cpu().numpy(), indices.cpu().numpy()
    grid = sums[:, : n_blocks * width].view(b, n_blocks, width)
    blocks = grid.amax(-1).topk(n, sorted=False).indices  # (B, n)
    picked = grid.gather(1, blocks[:, :, None].expand(b, n, width))  # (B, n, width)
    pool = torch.cat((picked.flatten(1), sums[:, n_blocks * width :]), 1)
    values, indices = pool.topk(n)
    last = np.full((b, 1), n_blocks)  # the rest follows all blocks, in the pool as in the row
    chosen = np.concatenate((blocks.cpu().numpy(), last), 1)  # (B, n + 1)
    block = np.minimum(indices.cpu().numpy() // width, n)  # (B, n), index among the chosen blocks
    moved = chosen[np.arange(b)[:, None], block] - block
    return values.cpu().numpy(), indices.cpu().numpy() + moved * width


def _break_ties(sums: Tensor, values: np.ndarray, indices: np.ndarray) -> None:
    """Order equal values by index; where the n-th equals the next, compare all its equals."""
    n = values.shape[1] - 1
    for source in np.flatnonzero((values[:, -1] == values[:, -2]) & (values[:, -1] > -np.inf)):
        row = sums[source]  # (k * V,)
        equal_or_better = (row >= float(values[source, -1])).nonzero().flatten()
        sorted_values, order = row[equal_or_better].sort(descending=True, stable=True)
        values[source, :n] = sorted_values[:n].cpu().numpy()
        indices[source, :n] = equal_or_better[order[:n]].cpu().numpy()
        values[source, n] = -np.inf  # it may be among the n already
    order = np.lexsort((indices, -values))
    values[:] = np.take_along_axis(values, order, 1)
    indices[:] = np.take_along_axis(indices, order, 1)
