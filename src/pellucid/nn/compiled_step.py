"""Decoding steps by compiled programs, on the model's own cache."""

import sys
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pellucid.nn.cache import KeyValueCache, Step, source_keep
from pellucid.nn.positions import DistanceBias

Program = Callable[[list[Tensor]], list[Tensor]]
"""Inputs and outputs of `StepGraph`."""
Programs = Mapping[int, Mapping[int, Program]]
"""By the greatest number of tokens of the texts, then by the greatest number of rows."""


class CompiledStep:
    """`Transformer.step` for one token of each row, by the program for that size of the cache."""

    def __init__(
        self,
        programs: Programs,
        distances: DistanceBias | None = None,
        dtype: torch.dtype = torch.float32,
        n_positions: int = sys.maxsize,
    ) -> None:
        """distances: the decoder's, if it has one.

        n_positions: rows of the programs' table of positions.
        """
        self.programs = {most: dict(sorted(programs[most].items())) for most in sorted(programs)}
        self.distances = distances
        self.like, self.n_positions = torch.empty(0, dtype=dtype), n_positions

    def __call__(self, ids: Tensor, cache: KeyValueCache) -> Step | None:
        """Append ids (R, 1) to the cache and return the step; None if no program is for this."""
        program = self._choose(cache.length, len(ids))
        if program is None or ids.shape[1] != 1 or cache.length >= self.n_positions:
            return None
        buffer = cache.reserve(1, self.like)  # (R, layers, 2, C, H, K)
        grouped = cache.sources, cache.rows // cache.sources  # (B, k)
        padding = torch.zeros_like(ids) if cache.padding is None else cache.padding
        inputs = [
            ids.view(grouped),
            padding.view(grouped),
            torch.tensor([cache.length]),
            buffer.view(*grouped, *buffer.shape[1:]),
        ]
        if self.distances is not None:
            inputs.append(_spread(self.distances(1, cache.length), buffer.shape[3]))
        if cache.cross_states is not None:
            inputs += [source_keep(cache.cross_states, cache.cross_mask), cache.cross_states]
        logits, state, new = program([x.contiguous() for x in inputs])  # it does not read strides
        buffer.narrow(3, cache.length, 1).copy_(new)
        cache.length += 1
        return Step(logits, state)

    def _choose(self, length: int, rows: int) -> Program | None:
        by_rows = next((each for most, each in self.programs.items() if length <= most), {})
        return next((program for most, program in by_rows.items() if rows <= most), None)


def _spread(distances: Tensor, capacity: int) -> Tensor:
    """Return (1, H, 1, capacity + 1), the last of distances (1, H, 1, length + 1) at the end."""
    spread = distances.new_zeros(*distances.shape[:3], capacity + 1)
    length = distances.shape[3] - 1
    spread[..., :length] = distances[..., :length]
    spread[..., -1:] = distances[..., length:]
    return spread
