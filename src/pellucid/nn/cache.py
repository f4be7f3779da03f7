"""The state of a decoder between steps, and the operations that search needs on it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pellucid.config.model import ModelConfig
from pellucid.errors import UsageError
from pellucid.nn.attention import KeysValues, Memory
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.padding import pad_and_join

FIRST_CAPACITY = 8


class Step(NamedTuple):
    """The output of one call of a decoder."""

    logits: Tensor  # (B, T, V), float32
    state: Tensor  # (B, T, D), the input of the output layer


class Cache(Protocol):
    """A decoder's state for `rows` texts of `length` tokens each.

    Rows are grouped by source: after `expand(k)`, rows r*k .. r*k+k-1 belong to source r.
    """

    length: int
    rows: int

    def expand(self, k: int) -> None:
        """Repeat each row k times: a source that had one row now has k."""
        ...

    def reorder(self, parents: Tensor) -> None:
        """Replace row r by row `parents[r]` (rows,) of the same source."""
        ...

    def keep_rows(self, rows: Tensor) -> None:
        """Replace row r by row `rows[r]`; sources without rows are dropped.

        rows: ascending by source; every source that stays keeps its number of rows.
        """
        ...

    def truncate(self, n: int) -> None:
        """Keep the first n tokens only. Raises: UsageError if the state cannot be rewound."""
        ...


class Decoder(Protocol):
    """A model that generates texts step by step."""

    def prefill(self, source: Tensor | None, keep: Tensor | None, rows: int) -> Cache:
        """Return a cache for `rows` texts that holds source ids (B, S).

        keep: (B, S), True = real token, None = all.
        """
        ...

    def step(self, ids: Tensor, cache: Cache) -> Step:
        """Append ids (rows, T) to the cache; logits[:, t] predict what follows ids[:, t]."""
        ...


class KeyValueCache:
    """Keys and values of a decoder's own texts, and of the sources that it attends to.

    Self-attention: one buffer (rows, layers, 2, capacity, H, K), so that a reorder is one copy;
    its capacity grows with the texts, and rows that end leave room for others. Cross-attention:
    (B, layers, 2, H, S, K), computed once and copied only when a source is dropped. For prompts
    that are padded on the left, the padding of each row is stored.
    """

    def __init__(
        self,
        c: ModelConfig,
        rows: int,
        cross: Sequence[KeysValues] = (),
        cross_mask: Mask | None = None,
        keep: Tensor | None = None,
    ) -> None:
        """keep: (rows, T), True = real token of the prompt that is appended next."""
        self.length = 0
        self.rows = rows
        self.sources = rows
        self.cross_mask = cross_mask
        self.padding = None if keep is None else _count_padding(keep)  # (R,)
        self._shape = (c.n_decoder_layers, 2, FIRST_CAPACITY, c.n_heads, c.head_width)
        self._buffer: Tensor | None = None  # allocated by the first append, in its dtype
        self._spare: Tensor | None = None  # the target of a reorder, so that steps do not allocate
        self.cross_states = torch.stack([torch.stack(kv, 1) for kv in cross], 1) if cross else None
        self.cross = self._split_cross()

    def slots(self, n: int) -> "list[LayerSlots]":
        """Return for each layer where its next n tokens go."""
        return [LayerSlots(self, i, n) for i in range(self._shape[0])]

    def positions(self, n: int) -> Tensor | None:
        """Return the positions (R, n) of the next n tokens; None if they are `length` onwards."""
        if self.padding is None:
            return None
        index = torch.arange(self.length, self.length + n, device=self.padding.device)
        return (index - self.padding[:, None]).clamp_(min=0)

    def keep(self, n: int) -> Tensor | None:
        """Return (R, length + n), True = real token; None if no row has padding."""
        if self.padding is None:
            return None
        index = torch.arange(self.length + n, device=self.padding.device)
        return index >= self.padding[:, None]

    def expand(self, k: int) -> None:
        self.rows *= k
        if self.padding is not None:
            self.padding = self.padding.repeat_interleave(k, 0)
        if self._buffer is not None:
            self._buffer = self._buffer[: self.rows // k].repeat_interleave(k, 0)
            self._spare = None

    def reorder(self, parents: Tensor) -> None:
        if self.padding is not None:
            self.padding = self.padding[parents]
        if self._buffer is None:
            return
        if self._spare is None:
            self._spare = torch.empty_like(self._buffer)
        torch.index_select(self._buffer, 0, parents, out=self._spare[: len(parents)])
        self._buffer, self._spare = self._spare, self._buffer

    def keep_rows(self, rows: Tensor) -> None:
        group = self.rows // self.sources
        self.reorder(rows)
        sources = rows[::group] // group
        self.rows, self.sources = len(rows), len(sources)
        if self.cross_mask is not None and self.cross_mask.keep is not None:
            self.cross_mask = Mask(keep=self.cross_mask.keep[sources])
        if self.cross_states is not None:
            self.cross_states = self.cross_states.index_select(0, sources)
            self.cross = self._split_cross()

    def truncate(self, n: int) -> None:
        if not 0 <= n <= self.length:
            raise UsageError(f"cannot truncate a cache of {self.length} tokens to {n}.")
        self.length = n

    def join(self, other: "KeyValueCache") -> None:
        """Append the rows of another cache of this model, with as many rows for each source.

        All texts then have one length: shorter ones are padded on the left.
        """
        new, new_padding = other._texts()  # (R, layers, 2, T, H, K)
        buffer, padding = self._make_room(other.rows, new.shape[3])
        start = self.length - new.shape[3]
        rows = buffer[self.rows : self.rows + other.rows]
        rows.zero_()  # padding is multiplied by weights of 0, so it must be finite: see `reserve`
        rows[:, :, :, start : self.length] = new
        self.padding = torch.cat((padding, new_padding + start))
        self.rows, self.sources = self.rows + other.rows, self.sources + other.sources
        if self.cross_states is not None and other.cross_states is not None:
            masks = self.cross_mask, other.cross_mask
            crosses = self.cross_states, other.cross_states
            keeps = [source_keep(*pair) for pair in zip(crosses, masks, strict=True)]
            ends = [int(keep.any(0).nonzero().max()) + 1 for keep in keeps]  # padding is cut
            self.cross_mask = Mask(
                keep=pad_and_join([k[:, :n] for k, n in zip(keeps, ends, strict=True)], -1)
            )
            self.cross_states = pad_and_join(
                [x[..., :n, :] for x, n in zip(crosses, ends, strict=True)], -2
            )
            self.cross = self._split_cross()

    def _texts(self) -> tuple[Tensor, Tensor]:
        """Return the texts (R, layers, 2, T, H, K) without common padding, and the padding (R,)."""
        assert self._buffer is not None
        padding = self.padding
        if padding is None:
            padding = torch.zeros(self.rows, dtype=torch.int64, device=self._buffer.device)
        start = int(padding.min())
        return self._buffer[: self.rows, :, :, start : self.length], padding - start

    def _make_room(self, rows: int, length: int) -> tuple[Tensor, Tensor]:
        """Return the buffer, with room for more rows of so many tokens, and the padding (R,).

        Padding that all rows have is removed when there is much of it, because that copies all.
        """
        assert self._buffer is not None
        texts, padding = self._texts()
        common, need = self.length - texts.shape[3], self.rows + rows
        if common < FIRST_CAPACITY and length <= self.length and need <= len(self._buffer):
            return self._buffer, padding + common
        self.length = max(self.length - common, length)
        start = self.length - texts.shape[3]
        self._shape = (*self._shape[:2], self.length + FIRST_CAPACITY, *self._shape[3:])
        self._spare = None  # free before more is allocated
        self._buffer = texts.new_zeros(need, *self._shape)
        self._buffer[: self.rows, :, :, start : self.length] = texts
        return self._buffer, padding + start

    def reserve(self, n: int, like: Tensor) -> Tensor:
        """Return the buffer, grown if n more tokens do not fit; dtype and device are `like`'s."""
        layers, two, capacity, *head = self._shape
        need = self.length + n
        if self._buffer is None or need > self._buffer.shape[3]:
            while capacity < need:  # in small steps, because each reorder copies all of it
                capacity += max(FIRST_CAPACITY, capacity // 4)
            self._shape, self._spare = (layers, two, capacity, *head), None
            grown = like.new_empty(self.rows, *self._shape)
            if self._buffer is not None:
                grown[:, :, :, : self.length] = self._buffer[: self.rows, :, :, : self.length]
            grown[:, :, :, self.length :] = 0  # finite, so that masks can hide it
            self._buffer = grown
        return self._buffer[: self.rows]

    def _split_cross(self) -> list[Memory] | None:
        if self.cross_states is None:
            return None
        mask = MaskTensors(self.cross_mask or Mask())
        return [Memory(KeysValues(*kv.unbind(1)), mask) for kv in self.cross_states.unbind(1)]


def source_keep(cross: Tensor, mask: Mask | None) -> Tensor:
    """Return (B, S), True = real token. cross: (B, layers, 2, H, S, K)."""
    if mask is not None and mask.keep is not None:
        return mask.keep
    return torch.ones(len(cross), cross.shape[4], dtype=torch.bool, device=cross.device)


def _count_padding(keep: Tensor) -> Tensor:
    """Return the padding (R,) at the left of each row. Raises: UsageError if it is elsewhere."""
    padding = (~keep).sum(1)
    if not torch.equal(torch.arange(keep.shape[1], device=keep.device) >= padding[:, None], keep):
        raise UsageError("prompts of a decoder-only model must be padded on the left only.")
    return padding


class LayerSlots:
    """One layer's view of a `KeyValueCache`."""

    def __init__(self, cache: KeyValueCache, layer: int, n: int) -> None:
        self.cache, self.layer, self.n = cache, layer, n

    def append(self, kv: Tensor) -> KeysValues:
        start, end = self.cache.length, self.cache.length + self.n
        buffer = self.cache.reserve(self.n, kv).select(1, self.layer)  # (R, 2, capacity, H, K)
        buffer.narrow(2, start, self.n).copy_(kv.transpose(1, 2))
        return KeysValues(*buffer.narrow(2, 0, end).transpose(2, 3).unbind(1))  # (R, H, length, K)
