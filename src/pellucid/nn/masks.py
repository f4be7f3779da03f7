"""Where attention may look: one small object, handed to every layer of a stack."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Which of S keys each of T queries may attend to. True means keep.

    keep: (B, S), True where a key is a real token; None where all are.
    causal: a query sees the keys up to its own place, which is `offset` plus its index.
    window: at most this many latest keys; 0 sets no bound.
    lengths: (B,), real tokens of each row where rows are padded on the right.
    """

    keep: Tensor | None = None
    causal: bool = False
    offset: int = 0
    window: int = 0
    lengths: Tensor | None = None
    _made: dict = field(default_factory=dict, repr=False, compare=False)

    def windowed(self, window: int) -> "Mask":
        """The same mask, each query limited to its `window` latest keys."""
        return replace(self, window=window, _made={})

    def plainly_causal(self, n_queries: int, n_keys: int) -> bool:
        """Whether this is the lower triangle and nothing else, which fused kernels know."""
        return (
            self.causal
            and self.keep is None
            and self.offset == 0
            and not 0 < self.window < n_keys
            and n_queries == n_keys
        )

    def allowed(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        """Boolean (B or 1, 1, T or 1, S), True = may attend; None if everything is allowed.

        The same tensor is given each time: all layers of a stack share one mask.
        """
        size = (n_queries, n_keys)
        if size not in self._made:
            self._made[size] = self._allowed(n_queries, n_keys, device)
        return self._made[size]

    def bias(self, like: Tensor, n_queries: int, n_keys: int) -> Tensor | None:
        """What to add to scores: 0 where allowed, -inf elsewhere, in the dtype of `like`."""
        size = (n_queries, n_keys, like.dtype)
        if size not in self._made:
            allowed = self.allowed(n_queries, n_keys, like.device)
            if allowed is not None:
                zeros = torch.zeros(allowed.shape, dtype=like.dtype, device=like.device)
                allowed = zeros.masked_fill_(~allowed, float("-inf"))
            self._made[size] = allowed
        return self._made[size]

    def empty(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        """Boolean (B or 1, 1, T or 1, 1), True where a query may see no key; None if none is."""
        size = (n_queries, n_keys, "empty")
        if size not in self._made:
            allowed = self.allowed(n_queries, n_keys, device)
            rows = None if allowed is None else ~allowed.any(-1, keepdim=True)
            self._made[size] = rows if rows is not None and bool(rows.any()) else None
        return self._made[size]

    def _allowed(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        allowed = None if self.keep is None else self.keep[:, None, None, :]  # (B, 1, 1, S)
        if not self.causal:
            return allowed
        if self.offset >= n_keys - 1 and not 0 < self.window < self.offset + n_queries:
            return allowed  # every query stands at or after the last key, and sees the first
        place = self.offset + torch.arange(n_queries, device=device)[:, None]  # (T, 1)
        distance = place - torch.arange(n_keys, device=device)  # (T, S)
        near = distance >= 0
        if self.window:
            near &= distance < self.window
        return near if allowed is None else near & allowed


def keep_from(lengths: Tensor, n_keys: int) -> Tensor | None:
    """(B, S), True for the first `lengths` keys of each row; None if no row has padding.

    lengths: (B,), on any device; S is at least the longest.
    """
    if int(lengths.min()) >= n_keys:
        return None
    return torch.arange(n_keys, device=lengths.device) < lengths[:, None]
