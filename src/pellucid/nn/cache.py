"""What a decoder remembers between steps, and what search may ask of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError
from pellucid.nn.attention import KeysValues, Memory
from pellucid.nn.masks import Mask, MaskTensors

FIRST_CAPACITY = 8


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
        """Let row r continue what row `rows[r]` held; sources that none continues are done.

        rows: ascending by source, as many as before of each that stays.
        """
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


class KeyValueCache:
    """Keys and values of a decoder's own texts, and of the sources that it looks at.

    Own: one buffer (rows, layers, 2, capacity, H, K), so that a reorder is one copy. Capacity
    grows with the texts. Cross: (B, layers, 2, H, S, K), computed once, copied only when a
    source leaves. Texts whose beginnings were padded on the left keep how many places that took.
    """

    def __init__(
        self,
        c: ModelConfig,
        rows: int,
        cross: Sequence[KeysValues] = (),
        cross_mask: Mask | None = None,
        keep: Tensor | None = None,
    ) -> None:
        """keep: (rows, T) of the beginning that is about to be read, True = real token."""
        self.length = 0
        self.rows = rows
        self.sources = rows
        self.cross_mask = cross_mask
        self.padding = None if keep is None else _padding(keep)  # (R,)
        self._shape = (c.n_decoder_layers, 2, FIRST_CAPACITY, c.n_heads, c.head_width)
        self._own: Tensor | None = None  # made at the first append, which knows dtype and device
        self._spare: Tensor | None = None  # the other half of a swap: nothing is allocated a step
        self._cross: Tensor | None = None
        if cross:
            self._cross = torch.stack([torch.stack(kv, 1) for kv in cross], 1)
        self.cross = self._split_cross()

    def slots(self, n: int) -> "list[LayerSlots]":
        """Where each layer puts its next n tokens."""
        return [LayerSlots(self, i, n) for i in range(self._shape[0])]

    def places(self, n: int) -> Tensor | None:
        """(R, n), where the next n tokens of each text stand; None where that is `length` on."""
        if self.padding is None:
            return None
        index = torch.arange(self.length, self.length + n, device=self.padding.device)
        return (index - self.padding[:, None]).clamp_(min=0)

    def keep(self, n: int) -> Tensor | None:
        """(R, length + n), True for what is no padding; None if nothing is."""
        if self.padding is None:
            return None
        index = torch.arange(self.length + n, device=self.padding.device)
        return index >= self.padding[:, None]

    def expand(self, k: int) -> None:
        self.rows *= k
        if self.padding is not None:
            self.padding = self.padding.repeat_interleave(k, 0)
        if self._own is not None:
            self._own = self._own.repeat_interleave(k, 0)
            self._spare = None

    def reorder(self, parents: Tensor) -> None:
        if self.padding is not None:
            self.padding = self.padding[parents]
        if self._own is None:
            return
        if self._spare is None:
            self._spare = torch.empty_like(self._own)
        spare = self._spare[: len(parents)]
        torch.index_select(self._own, 0, parents, out=spare)
        self._own, self._spare = spare, self._own

    def keep_rows(self, rows: Tensor) -> None:
        group = self.rows // self.sources
        self.reorder(rows)
        sources = rows[::group] // group
        self.rows, self.sources = len(rows), len(sources)
        if self.cross_mask is not None and self.cross_mask.keep is not None:
            self.cross_mask = Mask(keep=self.cross_mask.keep[sources])
        if self._cross is not None:
            self._cross = self._cross.index_select(0, sources)
            self.cross = self._split_cross()

    def truncate(self, n: int) -> None:
        if not 0 <= n <= self.length:
            raise UsageError(f"cannot truncate {self.length} remembered tokens to {n}.")
        self.length = n

    def room(self, n: int, like: Tensor) -> Tensor:
        """The buffer, grown if n more tokens do not fit; as `like` in dtype and device."""
        layers, two, capacity, *head = self._shape
        need = self.length + n
        if self._own is None or need > self._own.shape[3]:
            while capacity < need:  # in small steps: each reorder copies all of it
                capacity += max(FIRST_CAPACITY, capacity // 4)
            self._shape = (layers, two, capacity, *head)
            grown = like.new_empty(self.rows, *self._shape)
            if self._own is not None:
                grown[:, :, :, : self.length] = self._own[:, :, :, : self.length]
            self._own, self._spare = grown, None
        return self._own

    def _split_cross(self) -> list[Memory] | None:
        if self._cross is None:
            return None
        mask = MaskTensors(self.cross_mask or Mask())
        return [Memory(KeysValues(*kv.unbind(1)), mask) for kv in self._cross.unbind(1)]


def _padding(keep: Tensor) -> Tensor:
    """(R,) places of padding at the left of each row. Raises: UsageError if it is elsewhere."""
    padding = (~keep).sum(1)
    if not torch.equal(torch.arange(keep.shape[1], device=keep.device) >= padding[:, None], keep):
        raise UsageError("texts to be continued must be padded on the left, and only there.")
    return padding


class LayerSlots:
    """One layer's view of a `KeyValueCache`."""

    def __init__(self, cache: KeyValueCache, layer: int, n: int) -> None:
        self.cache, self.layer, self.n = cache, layer, n

    def append(self, kv: Tensor) -> KeysValues:
        start, end = self.cache.length, self.cache.length + self.n
        own = self.cache.room(self.n, kv).select(1, self.layer)  # (R, 2, capacity, H, K)
        own.narrow(2, start, self.n).copy_(kv.transpose(1, 2))
        return KeysValues(*own.narrow(2, 0, end).transpose(2, 3).unbind(1))  # (R, H, length, K)
