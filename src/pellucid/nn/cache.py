"""What a decoder remembers between steps, and what search may ask of it."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Step(NamedTuple):
    """What one call of a decoder gives."""

    logits: Tensor  # (B, T, V), float32
    state: Tensor  # (B, T, D), what the output layer read


class Cache(Protocol):
    """A decoder's memory of `rows` texts, `length` tokens each.

    Rows stand grouped by source: after `expand(k)`, rows r*k .. r*k+k-1 continue source r.
    """

    length: int
    rows: int

    def expand(self, k: int) -> None:
        """Give each source k rows where it had one."""
        ...

    def reorder(self, parents: Tensor) -> None:
        """Let row r continue what row `parents[r]` (rows,) held; sources stay where they are."""
        ...

    def keep_rows(self, rows: Tensor) -> None:
        """Keep these rows, ascending and whole sources at a time; the others are done."""
        ...

    def truncate(self, n: int) -> None:
        """Forget all but the first n tokens. Raises: UsageError where memory cannot go back."""
        ...


class Decoder(Protocol):
    """A model that continues texts."""

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """Read what is given before generation: source ids (B, S), keep (B, S), True = real."""
        ...

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (rows, T) to the cache; logits[:, t] predict what follows ids[:, t]."""
        ...
