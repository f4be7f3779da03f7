"""Assign examples to batches. The result is a pure function of (seed, epoch, index)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from pellucid.errors import ConfigError

Order = Literal["length", "stream"]
EVALUATION_TOKENS = 4096
"""Padded tokens of a batch of `evaluation_batches`."""
POOL = 50
"""Batches of a fixed number of examples whose examples are sorted together by length."""


def epoch_batches(lengths: np.ndarray, max_tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch: every example once, examples of similar length together.

    lengths: (N, sides) tokens of each example, special ones counted. Rows times the longest side
    never exceed `max_tokens`. Which examples meet, and the order of batches, change from epoch to
    epoch; the number of batches does not.
    Raises: ConfigError naming an example that alone is too long.
    """
    longest = lengths.max(axis=1)  # (N,)
    check_lengths(lengths, max_tokens)
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(longest))
    order = order[np.argsort(longest[order], kind="stable")]
    cuts = _cuts(longest[order], max_tokens)
    batches = np.split(order, cuts[1:-1]) if len(order) else []
    return [batches[i] for i in rng.permutation(len(batches))]


def fixed_size_batches(lengths: np.ndarray, n_rows: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch: every example once, `n_rows` in each batch but one.

    Shuffled examples are sorted by length within pools of up to 50 batches (at least 4 pools if
    there are enough examples), so that a batch has similar lengths, and other examples meet in
    each epoch.
    """
    n = len(lengths)
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(n)
    longest = lengths.max(axis=1)[order] if n else np.zeros(0)
    pool = n_rows * min(POOL, max(1, n // (4 * n_rows)))
    order = order[np.lexsort((longest, np.arange(n) // pool))]
    batches = np.split(order, range(n_rows, n, n_rows)) if n else []
    return [batches[i] for i in rng.permutation(len(batches))]


def evaluation_batches(lengths: np.ndarray) -> list[list[int]]:
    """Yield batches of every example once, for evaluation. They are deterministic."""
    if not len(lengths):
        return []
    most = max(EVALUATION_TOKENS, int(lengths.max()))
    return [batch.tolist() for batch in epoch_batches(lengths, most, seed=0, epoch=0)]


def stream_batches(lengths: np.ndarray, max_tokens: int, n_rows: int = 0) -> list[np.ndarray]:
    """Batches along contiguous streams: row r of each batch follows row r of the one before.

    The examples are cut into `n_rows` streams, or as many as rows of the longest example fit into
    `max_tokens`; up to so many examples at the end are left out.
    """
    if not n_rows:
        check_lengths(lengths, max_tokens)
        n_rows = max_tokens // int(lengths.max())
    n_rows = min(n_rows, len(lengths))
    n_batches = len(lengths) // n_rows
    streams = np.arange(n_rows * n_batches).reshape(n_rows, n_batches)
    return list(streams.T)


class Batches(NamedTuple):
    """The endless sequence of micro-batches of a training."""

    lengths: np.ndarray
    max_tokens: int
    """Ignored if `n_rows` is set."""
    seed: int
    order: Order = "length"
    n_rows: int = 0
    """Examples in each batch."""

    def iterate_from(self, start: int) -> Iterator[tuple[int, np.ndarray]]:
        """(epoch, indices of examples) from micro-batch `start` on, counted over all epochs."""
        if not len(self.lengths):
            raise ConfigError("there are no examples to make batches of. Check data.train.")
        epoch, index = divmod(start, self.n_batches)
        while True:
            for batch in self._epoch(epoch)[index:]:
                yield epoch, batch
            epoch, index = epoch + 1, 0

    @property
    def n_batches(self) -> int:
        """Micro-batches in an epoch."""
        if self.order == "stream":
            return len(stream_batches(self.lengths, self.max_tokens, self.n_rows))
        if self.n_rows:
            return -(-len(self.lengths) // self.n_rows)
        check_lengths(self.lengths, self.max_tokens)
        # The cuts depend only on the sorted lengths, so every epoch has the same number of batches.
        return len(_cuts(np.sort(self.lengths.max(axis=1)), self.max_tokens)) - 1

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        if self.order == "stream":
            return stream_batches(self.lengths, self.max_tokens, self.n_rows)
        if self.n_rows:
            return fixed_size_batches(self.lengths, self.n_rows, self.seed, epoch)
        return epoch_batches(self.lengths, self.max_tokens, self.seed, epoch)


def check_lengths(lengths: np.ndarray, max_tokens: int) -> None:
    """Raises: ConfigError if a single example has more tokens than a batch may have."""
    longest = lengths.max(axis=1)
    if len(longest) and longest.max() > max_tokens:
        worst = int(longest.argmax())
        raise ConfigError(
            f"example {worst} has {longest[worst]} tokens on its longer side, more than"
            f" training.max_tokens={max_tokens} allows for a whole batch. Raise max_tokens, or"
            " lower data.max_length."
        )


def _cuts(ascending: np.ndarray, max_tokens: int) -> list[int]:
    """Return the start of each batch, and the end. Batches are filled greedily, in order."""
    cuts = [0]
    while (start := cuts[-1]) < len(ascending):
        ahead = ascending[start : start + max_tokens // max(int(ascending[start]), 1)]
        sizes = ahead * np.arange(1, len(ahead) + 1, dtype=np.int64)  # if cut after each example
        cuts.append(start + int(np.searchsorted(sizes, max_tokens, side="right")))
    return cuts
