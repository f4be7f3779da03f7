"""The best continuations of many texts, found without sorting a vocabulary."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

WIDTH = 128
"""Columns in a block: wide enough for vector units, narrow enough that n blocks are little."""
SMALL = 1 << 16
"""Up to this many values torch.topk over all of them is quicker: blocks cost more calls."""

INF = float("inf")


class Candidates(NamedTuple):
    """Ways to go on, best first, on the host; where fewer than n exist the rest is -inf."""

    values: np.ndarray  # (B, n) float32, score of the parent plus log-probability of the token
    parents: np.ndarray  # (B, n) int64, which row of its source it continues
    tokens: np.ndarray  # (B, n) int64


def best_continuations(
    logits: Tensor, scores: Tensor, excluded: Tensor, n: int, width: int | None = None
) -> Candidates:
    """The n best (row, token) of each source, ties to the lower row, then the lower token.

    logits: (B*k, V). scores: (B, k), of the k rows of each source so far. excluded: (E,) ids that
    are never chosen; the probabilities of others do not grow by it. width: see `top_k`; None
    leaves it to the size of the matter.
    """
    log_probs = logits.log_softmax(-1).index_fill_(1, excluded, -INF)  # (B*k, V)
    if width is None:
        width = WIDTH if logits.numel() > SMALL else logits.shape[1] + 1
    # One candidate more than asked for shows whether the last has its equal outside.
    values, ids = top_k(log_probs, scores, n + 1, width)
    missing = n + 1 - values.shape[1]
    if missing > 0:
        values = np.pad(values, ((0, 0), (0, missing)), constant_values=-np.inf)
        ids = np.pad(ids, ((0, 0), (0, missing)))
    tied = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -np.inf)
    if tied.any():
        _break_ties(log_probs, scores, values, ids)
    parents, tokens = np.divmod(ids[:, :n], logits.shape[1])
    return Candidates(values[:, :n], parents, tokens)


def top_k(log_probs: Tensor, scores: Tensor, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The n greatest sums of a row's score and its values, best first: sums (B, n), places (B, n).

    log_probs: (B*k, V). scores: (B, k). A place is row * V + column; among equals any may be
    taken. Exact: columns are cut into blocks of `width`, and the n best lie in the n blocks with
    the greatest maxima, since each better block holds a better column. Columns left over at the
    end always compete.
    """
    (b, k), v = scores.shape, log_probs.shape[1]
    n_blocks = v // width
    rest = log_probs[:, n_blocks * width :].view(b, k, -1) + scores[:, :, None]
    if not n_blocks:
        values, places = rest.view(b, -1).topk(min(n, k * v))
        return values.cpu().numpy(), places.cpu().numpy()
    grid = log_probs[:, : n_blocks * width].unflatten(1, (n_blocks, width))
    maxima = grid.amax(-1).view(b, k, -1) + scores[:, :, None]  # (B, k, blocks)
    blocks = maxima.view(b, -1).topk(min(n, k * n_blocks), sorted=False).indices  # (B, n)
    rows = blocks // n_blocks  # (B, n)
    first = torch.arange(0, b * k, k, device=rows.device)[:, None]
    picked = grid[rows + first, blocks % n_blocks] + scores.gather(1, rows)[:, :, None]
    pool = torch.cat((picked.view(b, -1), rest.view(b, -1)), 1)
    values, places = pool.topk(min(n, pool.shape[1]))
    return values.cpu().numpy(), _unpool(places.cpu().numpy(), blocks.cpu().numpy(), width, v)


def _unpool(places: np.ndarray, blocks: np.ndarray, width: int, v: int) -> np.ndarray:
    """From places among picked blocks, then leftover columns, to row * V + column."""
    n_blocks, n = v // width, blocks.shape[1]
    block, column = np.divmod(places, width)
    block = np.take_along_axis(blocks, np.minimum(block, n - 1), 1)
    ids = block // n_blocks * v + block % n_blocks * width + column
    over = places - n * width  # >= 0 in the leftover columns
    row, column = np.divmod(over, max(v % width, 1))
    return np.where(over < 0, ids, row * v + n_blocks * width + column)


def _break_ties(log_probs: Tensor, scores: Tensor, values: np.ndarray, ids: np.ndarray) -> None:
    """Order equal values by id; where the n-th equals the next, look for all its equals."""
    k, n = scores.shape[1], values.shape[1] - 1
    for source in np.flatnonzero((values[:, -1] == values[:, -2]) & (values[:, -1] > -np.inf)):
        rows = log_probs[source * k : (source + 1) * k] + scores[source][:, None]  # (k, V)
        equal_or_better = (rows >= float(values[source, -1])).flatten().nonzero().flatten()
        found, order = rows.flatten()[equal_or_better].sort(descending=True, stable=True)
        values[source, :n] = found[:n].cpu().numpy()
        ids[source, :n] = equal_or_better[order[:n]].cpu().numpy()
        values[source, n] = -np.inf  # it may stand among the n already
    order = np.lexsort((ids, -values))
    values[:] = np.take_along_axis(values, order, 1)
    ids[:] = np.take_along_axis(ids, order, 1)
