"""Attention masks: which keys a query may attend to."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Which of S keys each of T queries may attend to. True means keep.

    keep: (B, S), True where a key is a real token; None where all are.
    causal: a query sees the keys up to its own position, which is `offset` plus its index.
    window: at most this many latest keys; 0 sets no bound.
    """

    keep: Tensor | None = None
    causal: bool = False
    offset: int = 0
    window: int = 0

    def with_window(self, window: int) -> "Mask":
        """Return this mask with each query limited to its `window` latest keys."""
        return replace(self, window=window)

    def is_lower_triangular(self, n_queries: int, n_keys: int) -> bool:
        """Return whether this is a plain causal mask, which fused kernels have built in."""
        return bool(  # sizes are symbols where a graph is traced
            self.causal
            and self.keep is None
            and self.offset == 0
            and not 0 < self.window < n_keys
            and n_queries == n_keys
        )

    def allowed(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        """Return a boolean (B or 1, 1, T or 1, S), True = may attend; None if all may."""
        allowed = None if self.keep is None else self.keep[:, None, None, :]  # (B, 1, 1, S)
        if not self.causal:
            return allowed
        if self.offset >= n_keys - 1 and not 0 < self.window < self.offset + n_queries:
            return allowed  # no query is before the last key, and the window holds the first
        positions = self.offset + torch.arange(n_queries, device=device)[:, None]  # (T, 1)
        distance = positions - torch.arange(n_keys, device=device)  # (T, S)
        near = distance >= 0
        if self.window:
            near &= distance < self.window
        return near if allowed is None else near & allowed


class MaskTensors:
    """The tensors of one mask, each computed once for all layers that share it."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self._tensors: dict[tuple, Tensor | None] = {}

    def allowed(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        """Return `Mask.allowed` of these arguments."""
        size = (n_queries, n_keys)
        if size not in self._tensors:
            self._tensors[size] = self.mask.allowed(n_queries, n_keys, device)
        return self._tensors[size]

    def bias(self, like: Tensor, n_queries: int, n_keys: int) -> Tensor | None:
        """Return what to add to scores: 0 where allowed, -inf elsewhere, in the dtype of `like`.

        Of the shape of `allowed`; None if everything is allowed.
        """
        size = (n_queries, n_keys, like.dtype)
        if size not in self._tensors:
            allowed = self.allowed(n_queries, n_keys, like.device)
            if allowed is not None:
                zeros = torch.zeros(allowed.shape, dtype=like.dtype, device=like.device)
                allowed = zeros.masked_fill_(~allowed, float("-inf"))
            self._tensors[size] = allowed
        return self._tensors[size]

    def empty(self, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        """Return a boolean (B or 1, 1, T or 1, 1), True for queries without any key.

        None if every query has one.
        """
        size = (n_queries, n_keys, "empty")
        if size not in self._tensors:
            allowed = self.allowed(n_queries, n_keys, device)
            rows = None if allowed is None else ~allowed.any(-1, keepdim=True)
            self._tensors[size] = rows if rows is not None and bool(rows.any()) else None
        return self._tensors[size]


def keep_from(lengths: Tensor, n_keys: int) -> Tensor | None:
    """Return (B, S), True for the first `lengths` keys of each row; None if none has padding.

    lengths: (B,), on any device; S is at least the longest.
    """
    if int(lengths.min()) >= n_keys:
        return None
    return torch.arange(n_keys, device=lengths.device) < lengths[:, None]
