"""Assign examples to batches. The result is a pure function of (seed, epoch, index)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from pellucid.allocator import FreedMemory
from pellucid.errors import ConfigError

Order = Literal["length", "stream"]
EVALUATION_TOKENS = 4096
"""Maximum number of tokens, with padding, in a batch of `evaluation_batches`."""
RELEASE_SECONDS = 0.25
POOL = 50
"""Maximum number of batches in a pool, whose examples are sorted by length."""


def epoch_batches(lengths: np.ndarray, max_tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of one epoch, which group examples of similar length.

    lengths: (N, sides) number of tokens of each example, with special tokens. Rows times the
    longest side never exceed `max_tokens`. The composition and order of batches change with the
    epoch; the number of batches does not.
    Raises: ConfigError naming an example that is too long for a batch.
    """
    longest = lengths.max(axis=1)  # (N,)
    check_lengths(lengths, max_tokens)
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(longest))
    order = order[np.argsort(longest[order], kind="stable")]
    cuts = _fill_batches(longest[order], max_tokens)
    batches = np.split(order, cuts[1:-1]) if len(order) else []
    return [batches[i] for i in rng.permutation(len(batches))]


def fixed_size_batches(lengths: np.ndarray, n_rows: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the batches of one epoch, with `n_rows` examples in each but one.

    Examples are shuffled, then sorted by length within pools of up to 50 batches (at least 4 pools
    if there are enough examples). So lengths in a batch are similar, and its composition changes
    with the epoch.
    """
    n = len(lengths)
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(n)
    longest = lengths.max(axis=1)[order] if n else np.zeros(0)
    pool = n_rows * min(POOL, max(1, n // (4 * n_rows)))
    order = order[np.lexsort((longest, np.arange(n) // pool))]
    batches = np.split(order, range(n_rows, n, n_rows)) if n else []
    return [batches[i] for i in rng.permutation(len(batches))]


def evaluation_batches(lengths: np.ndarray) -> Iterator[list[int]]:
    """Yield deterministic batches for evaluation, with every example once.

    Memory that earlier batches have freed is returned to the system, so that a long evaluation
    needs no more of it than a short one.
    """
    if not len(lengths):
        return
    max_tokens = max(EVALUATION_TOKENS, int(lengths.max()))
    memory = FreedMemory(seconds=RELEASE_SECONDS)
    for batch in epoch_batches(lengths, max_tokens, seed=0, epoch=0):
        memory.release()
        yield batch.tolist()


def stream_batches(lengths: np.ndarray, max_tokens: int, n_rows: int = 0) -> list[np.ndarray]:
    """Return batches along contiguous streams: row r continues row r of the previous batch.

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
    """The endless sequence of micro-batches of a run."""

    lengths: np.ndarray
    max_tokens: int
    """Ignored if `n_rows` is set."""
    seed: int
    order: Order = "length"
    n_rows: int = 0
    """Examples in each batch."""

    def iterate_from(self, start: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (epoch, indices of examples) of each micro-batch from number `start` on."""
        if not len(self.lengths):
            raise ConfigError("there are no examples to make batches of. Check data.train.")
        epoch, index = divmod(start, self.n_batches)
        while True:
            for batch in self._epoch(epoch)[index:]:
                yield epoch, batch
            epoch, index = epoch + 1, 0

    @property
    def n_batches(self) -> int:
        """Number of micro-batches in an epoch."""
        if self.order == "stream":
            return len(stream_batches(self.lengths, self.max_tokens, self.n_rows))
        if self.n_rows:
            return -(-len(self.lengths) // self.n_rows)
        check_lengths(self.lengths, self.max_tokens)
        # The cuts depend only on the sorted lengths, so every epoch has the same number of batches.
        return len(_fill_batches(np.sort(self.lengths.max(axis=1)), self.max_tokens)) - 1

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        if self.order == "stream":
            return stream_batches(self.lengths, self.max_tokens, self.n_rows)
        if self.n_rows:
            return fixed_size_batches(self.lengths, self.n_rows, self.seed, epoch)
        return epoch_batches(self.lengths, self.max_tokens, self.seed, epoch)


def check_lengths(lengths: np.ndarray, max_tokens: int) -> None:
    """Check that every example fits into a batch. Raises: ConfigError."""
    longest = lengths.max(axis=1)
    if len(longest) and longest.max() > max_tokens:
        worst = int(longest.argmax())
        raise ConfigError(
            f"example {worst} has {longest[worst]} tokens on its longer side, more than"
            f" training.max_tokens={max_tokens} allows for a whole batch. Raise max_tokens, or"
            " lower data.max_length."
        )


def _fill_batches(ascending: np.ndarray, max_tokens: int) -> list[int]:
    """Return the start of each batch, and the end. Batches are filled greedily, in order."""
    cuts = [0]
    while (start := cuts[-1]) < len(ascending):
        ahead = ascending[start : start + max_tokens // max(int(ascending[start]), 1)]
        sizes = ahead * np.arange(1, len(ahead) + 1, dtype=np.int64)  # if cut after each example
        cuts.append(start + int(np.searchsorted(sizes, max_tokens, side="right")))
    return cuts
