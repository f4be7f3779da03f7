"""Find the best continuations of many texts without sorting the vocabulary."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

WIDTH = 128
"""Values in a block: enough for vector units, few enough that n blocks are a small part."""

INF = float("inf")


class Candidates(NamedTuple):
    """Continuations, best first, on the host. If fewer than n exist, the others are -inf."""

    values: np.ndarray  # (B, n) float32, score of the parent plus log-probability of the token
    parents: np.ndarray  # (B, n) int64, the row of its source that it continues
    tokens: np.ndarray  # (B, n) int64


def best_continuations(
    logits: Tensor, scores: Tensor, excluded: Tensor, n: int, width: int = WIDTH
) -> Candidates:
    """Return the n best (row, token) of each source; ties: the lower row, then the lower token.

    logits: (B*k, V). scores: (B, k), of the k rows of each source so far. excluded: (E,) ids that
    are never chosen; their probability is not redistributed. width: see `top_k`.
    """
    log_probs = logits.log_softmax(-1).index_fill_(1, excluded, -INF)  # (B*k, V)
    return best_sums(log_probs, scores, n, width)


def best_sums(log_probs: Tensor, scores: Tensor, n: int, width: int = WIDTH) -> Candidates:
    """Return `best_continuations` of log_probs (B*k, V), which are modified."""
    sums = log_probs.view(*scores.shape, -1).add_(scores[:, :, None]).flatten(1)  # (B, k * V)
    # One candidate more than n shows whether the last one has an equal outside.
    values, indices = greatest(sums, n + 1, width)
    n_missing = n + 1 - values.shape[1]
    if n_missing > 0:
        values = np.pad(values, ((0, 0), (0, n_missing)), constant_values=-np.inf)
        indices = np.pad(indices, ((0, 0), (0, n_missing)))
    tied = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -np.inf)
    if tied.any():
        _break_ties(sums, values, indices)
    parents, tokens = np.divmod(indices[:, :n], log_probs.shape[1])
    return Candidates(values[:, :n], parents, tokens)


def greatest(sums: Tensor, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the n greatest values (B, n) in each row of sums (B, N), sorted, and their indices.

    The order of equal values is arbitrary. Exact: a row is split into blocks of `width`; its n best
    values are in the n blocks with the greatest maxima, because each such block has a value at
    least as great as any in the other blocks. The remainder at a row's end is always included.
    """
    b, size = sums.shape
    n_blocks = size // width
    if n_blocks <= n:
        values, indices = sums.topk(min(n, size))
        return values.cpu().numpy(), indices.cpu().numpy()
    whole = n_blocks * width
    blocks = sums[:, :whole].view(b, n_blocks, width).amax(-1).topk(n, sorted=False).indices
    inside = blocks[:, :, None] * width + torch.arange(width, device=sums.device)  # (B, n, width)
    remainder = torch.arange(whole, size, device=sums.device).expand(b, -1)
    pool = torch.cat((inside.flatten(1), remainder), 1)  # indices (B, P)
    values, picked = sums.gather(1, pool).topk(n)
    return values.cpu().numpy(), pool.gather(1, picked).cpu().numpy()


def find_largest(values: Tensor, n: int) -> Tensor:
    """Return the indices (n,) of the n largest of values (N,), sorted, the first of equals first.

    Only those that reach the n-th are sorted: a vocabulary is large.
    """
    largest, indices = values.topk(min(n + 1, len(values)))
    if bool((largest[1:] < largest[:-1]).all()):  # none are equal, and none is NaN
        return indices[:n]
    least = largest[n - 1]
    reached = (~(values < least)).nonzero()[:, 0]  # NaN is among them
    return reached[values[reached].argsort(descending=True, stable=True)[:n]]


def _break_ties(sums: Tensor, values: np.ndarray, indices: np.ndarray) -> None:
    """Order equal values by index; if the n-th equals the next one, compare all equal values."""
    n = values.shape[1] - 1
    for source in np.flatnonzero((values[:, -1] == values[:, -2]) & (values[:, -1] > -np.inf)):
        row = sums[source]  # (k * V,)
        best = find_largest(row, n)
        values[source, :n] = row[best].cpu().numpy()
        indices[source, :n] = best.cpu().numpy()
        values[source, n] = -np.inf  # it may already be among the n
    order = np.lexsort((indices, -values))
    values[:] = np.take_along_axis(values, order, 1)
    indices[:] = np.take_along_axis(indices, order, 1)
