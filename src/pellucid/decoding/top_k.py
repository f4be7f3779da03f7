"""The best continuations of many texts, found without sorting or copying a vocabulary."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

WIDTH = 128
"""Columns in a block: wide enough for vector units, narrow enough that n blocks are little."""


class Candidates(NamedTuple):
    """Ways to go on, best first, on the host; where fewer than n exist the rest is -inf."""

    values: np.ndarray  # (B, n) float32, score of the parent plus log-probability of the token
    parents: np.ndarray  # (B, n) int64, which row of its source it continues
    tokens: np.ndarray  # (B, n) int64


class TopK:
    """Picks the n best (row, token) of each source whose k rows end in given scores.

    Exact, ties to the lower (row, token). Columns are cut into blocks: the n best lie in the n
    blocks with the greatest maxima, since each better block holds a better column. The blocks
    cover the longest run of ids without an excluded one; the few `loose` ids outside that run
    always compete. So excluded ids cost nothing, and nothing the size of the vocabulary is copied.
    """

    def __init__(
        self, vocab_size: int, excluded: Sequence[int], n: int, width: int = WIDTH
    ) -> None:
        self.vocab_size, self.n, self.width = vocab_size, n, width
        walls = [-1, *sorted(set(excluded)), vocab_size]
        start, end = max(
            ((a + 1, b) for a, b in pairwise(walls)),
            key=lambda run: run[1] - run[0],
        )
        # Below a few blocks a plain top-k is as quick.
        self.n_blocks = (end - start) // width if end - start >= 4 * width else 0
        self.columns = slice(start, start + self.n_blocks * width)
        allowed = np.ones(vocab_size, dtype=bool)
        allowed[list(excluded)] = False
        self.allowed = torch.from_numpy(allowed.copy())
        allowed[self.columns] = False
        self.loose_ids = np.flatnonzero(allowed)
        self.loose = torch.from_numpy(self.loose_ids)

    def __call__(self, logits: Tensor, scores: Tensor) -> Candidates:
        """logits (B*k, V), scores (B, k) of the rows so far -> n candidates a source."""
        if self.loose.device != logits.device:
            self.loose, self.allowed = self.loose.to(logits.device), self.allowed.to(logits.device)
        k = scores.shape[1]
        offset = scores - log_normalizer(logits).view(scores.shape)  # (B, k)
        values, ids = self._best(logits, offset, self.n + 1)  # one more shows ties at the border
        if values.shape[1] <= self.n:
            missing = ((0, 0), (0, self.n + 1 - values.shape[1]))
            values = np.pad(values, missing, constant_values=-np.inf)
            ids = np.pad(ids, missing)
        self._break_ties(logits, offset, values, ids)
        assert ids.max() < k * self.vocab_size
        parents, tokens = np.divmod(ids[:, : self.n], self.vocab_size)
        return Candidates(values[:, : self.n], parents, tokens)

    def _best(self, logits: Tensor, offset: Tensor, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and ids (row * V + token) of the n best, or of all if they are fewer."""
        b, k = offset.shape
        loose = logits.index_select(1, self.loose).view(b, k, -1) + offset[:, :, None]
        pool = [loose.view(b, -1)]
        starts = np.empty((b, 0), dtype=np.int64)  # id of each picked block's first column
        if self.n_blocks:
            grid = logits[:, self.columns].unflatten(1, (self.n_blocks, self.width))
            maxima = grid.amax(-1).view(b, k, -1) + offset[:, :, None]  # (B, k, blocks)
            blocks = maxima.view(b, -1).topk(min(n, k * self.n_blocks), sorted=False).indices
            rows = blocks // self.n_blocks  # (B, n)
            first = torch.arange(0, b * k, k, device=rows.device)[:, None]
            picked = grid[rows + first, blocks % self.n_blocks]  # (B, n, width)
            pool.insert(0, (picked + offset.gather(1, rows)[:, :, None]).view(b, -1))
            starts = self._start(blocks.cpu().numpy())
        pooled = torch.cat(pool, 1) if self.n_blocks else pool[0]
        values, places = pooled.topk(min(n, pooled.shape[1]))
        return values.cpu().numpy(), self._ids(places.cpu().numpy(), starts, k)

    def _start(self, blocks: np.ndarray) -> np.ndarray:
        rows, blocks = np.divmod(blocks, self.n_blocks)
        return rows * self.vocab_size + self.columns.start + blocks * self.width

    def _ids(self, places: np.ndarray, starts: np.ndarray, k: int) -> np.ndarray:
        """From places in the pool (picked blocks, then loose columns) to row * V + token."""
        loose = self.loose_ids + np.arange(k)[:, None] * self.vocab_size  # (k, L)
        if not starts.shape[1]:
            return loose.ravel()[places]
        block, column = np.divmod(places, self.width)
        n = starts.shape[1]
        ids = np.take_along_axis(starts, np.minimum(block, n - 1), 1) + column
        outside = places >= n * self.width
        if outside.any():
            ids[outside] = loose.ravel()[places[outside] - n * self.width]
        return ids

    def _break_ties(
        self, logits: Tensor, offset: Tensor, values: np.ndarray, ids: np.ndarray
    ) -> None:
        """Order equal values by id; where the n-th equals the next, look for all its equals."""
        tied = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -np.inf)
        if not tied.any():
            return
        k = offset.shape[1]
        for source in np.flatnonzero(tied[:, -1]):
            rows = logits[source * k : (source + 1) * k] + offset[source][:, None]  # (k, V)
            border = float(values[source, self.n - 1])
            all_ids = ((rows >= border) & self.allowed).flatten().nonzero().flatten()
            found, order = rows.flatten()[all_ids].sort(descending=True, stable=True)
            values[source, : self.n] = found[: self.n].cpu().numpy()
            ids[source, : self.n] = all_ids[order[: self.n]].cpu().numpy()
            values[source, self.n] = -np.inf
        order = np.lexsort((ids, -values))
        values[:] = np.take_along_axis(values, order, 1)
        ids[:] = np.take_along_axis(ids, order, 1)


def log_normalizer(logits: Tensor) -> Tensor:
    """log(sum(exp(logits))) over the last axis: (R, V) -> (R,).

    The greatest probability p is exp(greatest logit - result), and p >= 1/V never underflows.
    The softmax kernel passes over memory once; torch.logsumexp does it four times.
    """
    return logits.amax(-1) - logits.softmax(-1).amax(-1).log()
