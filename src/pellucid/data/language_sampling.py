"""Training examples of several languages, in other shares than the data has (Liu et al. 2020)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.data.examples import Examples


class SampledExamples:
    """A view in which groups of examples are repeated, or drawn from.

    Each of its examples stands for a range of examples of one group, next to each other by length;
    `draw` chooses one of them. A group of n examples that occurs less than n times in an epoch has
    ranges of several examples, one that occurs more often has some or all of them repeatedly. The
    lengths are those of the longest in each range, so they are the same in every epoch.
    """

    def __init__(self, examples: Examples, groups: np.ndarray, factors: Sequence[float]) -> None:
        """groups: (N,), the group of each example. factors: of the size of each group."""
        self._examples = examples
        longest = examples.lengths.max(axis=1)
        order, begins, ends = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
        n_before = 0
        for group, factor in enumerate(factors):
            members = np.flatnonzero(groups == group)
            n = len(members)
            if not n:
                continue
            k = max(1, round(n * factor))
            first = np.arange(k) * n // k
            order.append(members[np.argsort(longest[members], kind="stable")])
            begins.append(n_before + first)
            ends.append(n_before + np.maximum(np.arange(1, k + 1) * n // k, first + 1))
            n_before += n
        self._order = np.concatenate(order)
        self._begins, self._ends = np.concatenate(begins), np.concatenate(ends)
        self.lengths = examples.lengths[self._order[self._ends - 1]]

    def __len__(self) -> int:
        return len(self._begins)

    def __getitem__(self, index: int) -> Any:
        """Return the longest example of a range."""
        return self._examples[int(self._order[self._ends[index] - 1])]

    def draw(self, index: int, seed: int) -> Any:
        """Return one example of a range."""
        begin, end = int(self._begins[index]), int(self._ends[index])
        chosen = begin + int(np.random.default_rng(seed).integers(end - begin))
        return self._examples[int(self._order[chosen])]

    def origin(self, index: int) -> str:
        """Return the `file:line` of the longest example of a range."""
        begin, end = int(self._begins[index]), int(self._ends[index])
        origin = self._examples.origin(int(self._order[end - 1]))
        return origin if end - begin == 1 else f"{origin} or {end - begin - 1} similar texts"


def sampling_factors(sizes: np.ndarray, exponent: float) -> np.ndarray:
    """Return how often each language is read in an epoch, from the number of its tokens.

    A language with share p of all tokens gets a share in proportion to p ** exponent. The number of
    tokens in an epoch stays the same.  Source: Liu et al. 2020, section 2.1, equation 1.
    """
    shares = sizes / sizes.sum()
    powers = np.where(sizes > 0, shares**exponent, 0.0)
    new_shares = powers / powers.sum()
    return np.divide(new_shares, shares, out=np.zeros_like(new_shares), where=sizes > 0)
