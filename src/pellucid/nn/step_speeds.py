"""Speeds of a model's decoding steps, compiled and not, and which is used where."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import torch
from torch import Tensor

from pellucid.nn.cache import KeyValueCache
from pellucid.nn.compiled_step import CompiledStep
from pellucid.nn.model import Transformer

PACKED = "packed"
ROWS = (1, 5, 10, 20, 40, 80, 160)
LENGTHS = (8, 16, 32, 64, 128, 256)
"""Tokens of the texts. With their number, the cost of a program grows faster than that of the
packed modules: it copies the keys and values that it reads."""
SOURCE_LENGTH = 12
ROUNDS, ROUND_SECONDS = 5, 0.03

Times = Mapping[int, Mapping[int, Mapping[str, float]]]
"""Milliseconds of a step by number of tokens, of rows, and by kind of program or `PACKED`."""


@torch.inference_mode()
def measure_steps(
    packed: Transformer, steps: Mapping[str, CompiledStep], n_positions: int
) -> Times:
    """Measure all kinds of step in turns, because the speed of a machine changes.

    For each number of tokens, up to a number of rows at which no compiled step is the fastest.
    n_positions: of the model.
    """
    times: dict[int, dict[int, dict[str, float]]] = {}
    measured = {PACKED: packed.step, **steps}
    for length in (n for n in LENGTHS if n < n_positions):
        times[length] = {}
        for rows in ROWS:
            ids, cache = torch.zeros(rows, 1, dtype=torch.int64), _fill_cache(packed, rows, length)
            rounds = [
                [_time(step, ids, cache) for step in measured.values()] for _ in range(ROUNDS)
            ]
            medians = map(median, zip(*rounds, strict=True))
            times[length][rows] = dict(zip(measured, medians, strict=True))
            if _fastest(times[length][rows]) == PACKED:
                break
    return times


def choose_kinds(times: Times) -> dict[int, dict[int, str]]:
    """Return for each number of tokens the kinds of program by the greatest number of their rows.

    That is the greatest at which a kind is the fastest; one that never is does not occur.
    """
    chosen: dict[int, dict[int, str]] = {}
    for length, by_rows in times.items():
        fastest = {_fastest(by_kind): rows for rows, by_kind in sorted(by_rows.items())}
        chosen[length] = {rows: kind for kind, rows in fastest.items() if kind != PACKED}
    return chosen


def _fastest(by_kind: Mapping[str, float]) -> str:
    return min(by_kind, key=lambda kind: by_kind[kind])


def _fill_cache(packed: Transformer, rows: int, length: int) -> KeyValueCache:
    """Return a cache for rows of `length` tokens, five of each source if there are more."""
    n_sources = max(1, rows // 5)
    source = torch.zeros(n_sources, SOURCE_LENGTH, dtype=torch.int64)
    cache = packed.prefill(source if packed.encoder is not None else None, None, n_sources)
    assert isinstance(cache, KeyValueCache)
    cache.expand(rows // n_sources)
    packed.step(torch.zeros(rows, length, dtype=torch.int64), cache)
    return cache


def _time(step: Callable, ids: Tensor, cache: KeyValueCache) -> float:
    """Return the milliseconds of a step."""
    length, n, begin = cache.length, 0, time.perf_counter()
    while time.perf_counter() - begin < ROUND_SECONDS or n < 3:
        step(ids, cache)
        cache.truncate(length)
        n += 1
    return 1000 * (time.perf_counter() - begin) / n
