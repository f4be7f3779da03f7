"""Renames between a family's published weights and ours, both ways, from one table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.families.rows import Row


class Source:
    """Where one tensor of ours comes from: part `index` of `parts` of a tensor of theirs."""

    def __init__(self, names: Sequence[str], row: Row, index: int, parts: int) -> None:
        self.names, self.row, self.index, self.parts = names, row, index, parts

    def shape(self, theirs: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that ours has if theirs is this one."""
        if self.row.flat and len(theirs) == 2 and theirs[0] == 1:
            return theirs[1:]
        turned = theirs[::-1] if self.row.transpose and len(theirs) == 2 else theirs
        return (turned[0] // self.parts, *turned[1:]) if self.parts > 1 else turned

    def take(self, theirs: Tensor) -> Tensor:
        """Our tensor, out of theirs, in float32."""
        if self.row.flat:
            return theirs.flatten().float()
        turned = theirs.T if self.row.transpose and theirs.dim() == 2 else theirs
        part = turned.chunk(self.parts)[self.index] if self.parts > 1 else turned
        return part.float()

    def give(self, ours: Tensor) -> Tensor:
        """Their tensor, or the part of it that ours is."""
        if self.row.flat:
            return ours[None]
        return ours.T if self.row.transpose and ours.dim() == 2 else ours


def sources(ours: Iterable[str], rows: Sequence[Row]) -> dict[str, Source]:
    """Where each of our names comes from; a name that no row tells of is left out."""
    table = [
        (name, row, index, len(names))
        for row in rows
        for names in [row.ours if isinstance(row.ours, tuple) else (row.ours,)]
        for index, name in enumerate(names)
    ]
    found = {}
    for name in ours:
        for pattern, row, index, parts in table:
            place = match(pattern, name)
            if place is not None and len(place.rest) <= 1:
                theirs = [".".join((t.format(*place.numbers), *place.rest)) for t in row.names()]
                found[name] = Source(theirs, row, index, parts)
                break
    return found


def to_theirs(tensors: Mapping[str, Tensor], rows: Sequence[Row]) -> dict[str, Tensor]:
    """Our tensors under their names and in their layout."""
    parts: dict[str, dict[int, Tensor]] = {}
    axis: dict[str, int] = {}
    where = sources(tensors, rows)
    for name, tensor in tensors.items():
        source = where[name]
        for theirs in source.names if source.row.both else source.names[:1]:
            parts.setdefault(theirs, {})[source.index] = source.give(tensor)
            axis[theirs] = -1 if source.row.transpose else 0
    return {
        name: torch.cat([found[i] for i in sorted(found)], dim=axis[name])
        for name, found in parts.items()
    }


class Place(NamedTuple):
    """How a name fits a pattern."""

    numbers: tuple[str, ...]
    """What stands where the pattern has `{}`."""
    rest: tuple[str, ...]
    """The parts of the name behind the pattern."""


def match(pattern: str, name: str) -> Place | None:
    """Whether a pattern is a tensor's name or that of a module above it; `{}` is any number."""
    wanted, parts = pattern.split("."), name.split(".")
    if len(wanted) > len(parts):
        return None
    numbers = []
    for expected, part in zip(wanted, parts, strict=False):
        if expected == "{}" and part.isdecimal():
            numbers.append(part)
        elif expected != part:
            return None
    return Place(tuple(numbers), tuple(parts[len(wanted) :]))
