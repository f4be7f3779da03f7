"""Holding out a part of the pairs that training must not see."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from pellucid.data.read import BLANK
from pellucid.errors import DataError


@dataclass(frozen=True)
class HeldOut:
    """Pairs for validation; no text of theirs, source or target, is left for training."""

    pairs: tuple[tuple[str, str], ...]
    sources: frozenset[str]
    targets: frozenset[str]

    def allows(self, source: str, target: str) -> bool:
        """Whether a pair may be trained on."""
        return _key(source) not in self.sources and _key(target) not in self.targets

    def training(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """The pairs to train on; a blank stands for each other, so that pair i stays line i + 1."""
        for source, target in pairs:
            yield (source, target) if self.allows(source, target) else BLANK


def hold_out(pairs: Iterable[tuple[str, str]], n: int, seed: int) -> HeldOut:
    """Choose n different source sentences by hash, each with the target it has first.

    A function of the set of sources, n and seed: the order of the file does not matter to which
    are chosen. Memory grows with n alone. Raises: DataError if fewer than 2 n sources differ.
    """
    chosen: dict[bytes, tuple[str, str]] = {}
    worst: list[bytes] = []  # a heap, the largest hash first
    for source, target in pairs:
        if (source, target) == BLANK:
            continue
        rank = blake2b(_key(source).encode(), digest_size=16, salt=_salt(seed)).digest()
        if rank in chosen:
            continue
        inverse = bytes(255 - byte for byte in rank)
        if len(chosen) < 2 * n:
            heapq.heappush(worst, inverse)
            chosen[rank] = (source, target)
        elif inverse > worst[0]:
            out = heapq.heapreplace(worst, inverse)
            del chosen[bytes(255 - byte for byte in out)]
            chosen[rank] = (source, target)
    if len(chosen) < 2 * n:
        raise DataError(
            f"cannot hold out {n} of {len(chosen)} different source sentences: at least as many"
            " must remain. Hold out fewer, or name a validation set with data.valid."
        )
    held = tuple(chosen[rank] for rank in sorted(chosen)[:n])
    return HeldOut(
        held, frozenset(_key(source) for source, _ in held), frozenset(_key(t) for _, t in held)
    )


def _key(text: str) -> str:
    """Texts that differ by case or spacing alone are one."""
    return " ".join(text.casefold().split())


def _salt(seed: int) -> bytes:
    return seed.to_bytes(16, "little", signed=True)
