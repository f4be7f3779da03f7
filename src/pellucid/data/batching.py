"""Which pairs make a batch, in which order: a pure function of (seed, epoch, index)."""

from collections.abc import Iterator

import numpy as np

from pellucid.errors import ConfigError


def plan(lengths: np.ndarray, max_tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch: every pair once, pairs of like length together.

    `lengths` (N, 2): tokens of source and target, special ones counted (`PairStore.lengths`). Rows
    times the longest text of either side never exceed `max_tokens`. Which pairs meet, and the
    order of batches, change from epoch to epoch; the number of batches does not.
    Raises: ConfigError naming a pair that alone is too long.
    """
    longest = lengths.max(axis=1)  # (N,)
    _check(longest, max_tokens)
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(longest))
    order = order[np.argsort(longest[order], kind="stable")]
    cuts = _cuts(longest[order], max_tokens)
    batches = np.split(order, cuts[1:-1]) if len(order) else []
    return [batches[i] for i in rng.permutation(len(batches))]


def micro_batches(
    lengths: np.ndarray, max_tokens: int, seed: int, start: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Batches without end from number `start`, counted over all epochs: (epoch, index, pairs)."""
    longest = lengths.max(axis=1)
    _check(longest, max_tokens)
    if not len(longest):
        raise ConfigError("there are no pairs to make batches of. Check data.train.")
    # The cuts depend on the sorted lengths alone, so every epoch has as many batches.
    epoch, index = divmod(start, len(_cuts(np.sort(longest), max_tokens)) - 1)
    while True:
        for number, batch in enumerate(plan(lengths, max_tokens, seed, epoch)[index:], index):
            yield epoch, number, batch
        epoch, index = epoch + 1, 0


def _check(longest: np.ndarray, max_tokens: int) -> None:
    if len(longest) and longest.max() > max_tokens:
        worst = int(longest.argmax())
        raise ConfigError(
            f"pair {worst} has {longest[worst]} tokens on its longer side, more than"
            f" training.max_tokens={max_tokens} allows for a whole batch. Raise max_tokens, or"
            " lower data.max_length so that such pairs are left out."
        )


def _cuts(ascending: np.ndarray, max_tokens: int) -> list[int]:
    """Where batches begin, and the end: each takes as many of the next pairs as fit."""
    cuts = [0]
    while (start := cuts[-1]) < len(ascending):
        ahead = ascending[start : start + max_tokens // max(int(ascending[start]), 1)]
        sizes = ahead * np.arange(1, len(ahead) + 1, dtype=np.int64)  # if cut after each pair
        cuts.append(start + int(np.searchsorted(sizes, max_tokens, side="right")))
    return cuts
