"""Convert the tensors of a published model to ours and back, by the renames of a family."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.families.renames import Rename


@dataclass(frozen=True)
class Origin:
    """Where an internal tensor comes from: part `index` of the `parts` of a published tensor."""

    names: Sequence[str]
    """Names of the published tensor, in order of preference."""
    rename: Rename
    index: int
    parts: int

    def internal_shape(self, published: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the internal tensor, given that of the published one."""
        if self.rename.leading_axis and len(published) == 2 and published[0] == 1:
            return published[1:]
        is_transposed = self.rename.transposed and len(published) == 2
        shape = published[::-1] if is_transposed else published
        return (shape[0] // self.parts, *shape[1:]) if self.parts > 1 else shape

    def to_internal(self, published: Tensor) -> Tensor:
        """Return the internal tensor in float32, given the published one."""
        if self.rename.leading_axis:
            return published.flatten().float()
        is_transposed = self.rename.transposed and published.dim() == 2
        tensor = published.T if is_transposed else published
        part = tensor.chunk(self.parts)[self.index] if self.parts > 1 else tensor
        return part.float()

    def to_published(self, tensor: Tensor) -> Tensor:
        """Return the published tensor, or a part of it, given the internal one."""
        if self.rename.leading_axis:
            return tensor[None]
        return tensor.T if self.rename.transposed and tensor.dim() == 2 else tensor


def find_origins(internal: Iterable[str], renames: Sequence[Rename]) -> dict[str, Origin]:
    """Return the origin of each internal tensor; a name without a rename is left out."""
    patterns = [
        (name, rename, index, len(names))
        for rename in renames
        for names in [rename.internal if isinstance(rename.internal, tuple) else (rename.internal,)]
        for index, name in enumerate(names)
    ]
    origins = {}
    for name in internal:
        for pattern, rename, index, parts in patterns:
            match = match_name(pattern, name)
            if match is not None and len(match.rest) <= 1:
                names = [".".join((n.format(*match.numbers), *match.rest)) for n in rename.names()]
                origins[name] = Origin(names, rename, index, parts)
                break
    return origins


def export_tensors(tensors: Mapping[str, Tensor], renames: Sequence[Rename]) -> dict[str, Tensor]:
    """Return internal tensors under their published names, in the published layout."""
    parts: dict[str, dict[int, Tensor]] = {}
    axis: dict[str, int] = {}
    origins = find_origins(tensors, renames)
    for name, tensor in tensors.items():
        origin = origins[name]
        for published in origin.names if origin.rename.writes_both else origin.names[:1]:
            parts.setdefault(published, {})[origin.index] = origin.to_published(tensor)
            axis[published] = -1 if origin.rename.transposed else 0
    return {
        name: torch.cat([by_index[i] for i in sorted(by_index)], dim=axis[name])
        for name, by_index in parts.items()
    }


class Match(NamedTuple):
    """How a name matches a pattern."""

    numbers: tuple[str, ...]
    """The parts of the name that match `{}`."""
    rest: tuple[str, ...]
    """The parts of the name after the pattern."""


def match_name(pattern: str, name: str) -> Match | None:
    """Match a tensor's name with the pattern of a tensor or module; `{}` is any number."""
    expected, parts = pattern.split("."), name.split(".")
    if len(expected) > len(parts):
        return None
    numbers = []
    for wildcard, part in zip(expected, parts, strict=False):
        if wildcard == "{}" and part.isdecimal():
            numbers.append(part)
        elif wildcard != part:
            return None
    return Match(tuple(numbers), tuple(parts[len(expected) :]))
