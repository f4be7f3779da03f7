"""Where the time of a training step and of a decoding step goes, and what the machine's floor is.

python -m benchmarks.profile [--size tiny base]

The floor is the larger of arithmetic over the fastest product measured here, and of bytes of
weights over the bandwidth measured here. No program can be faster with the same arithmetic.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler

from benchmarks.report import multi30k, save_results
from benchmarks.train import measured, prepare_data, run_pellucid, stream
from pellucid.allocator import prepare_for_steps
from pellucid.config.model import ModelConfig
from pellucid.decoding.top_k import best_continuations
from pellucid.families.transformer import PRESETS
from pellucid.nn import packed_linear
from pellucid.nn.model import build
from pellucid.nn.pack_model import pack_model

BEAM, LENGTH, VOCABULARY = 5, 14, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", nargs="+", default=["tiny", "base"], choices=list(PRESETS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    prepare_for_steps()
    limits = {"fp32": gflops(torch.float32), "bf16": gflops(torch.bfloat16), "read": bandwidth()}
    print(
        f"{arguments.threads} threads: fp32 {limits['fp32']:.0f}, bf16 {limits['bf16']:.0f}"
        f" GFLOP/s; reading {limits['read']:.0f} GB/s"
    )
    facts: dict[str, Any] = {"threads": arguments.threads, "limits": limits}
    with tempfile.TemporaryDirectory() as folder:
        prepare_data(multi30k(), Path(folder))
        for size in arguments.size:
            facts[f"{size} training"] = training(size, Path(folder), arguments.steps, limits)
            for batch in (1, 32):
                facts[f"{size} decoding, batch {batch}"] = decoding(
                    size, batch, arguments.steps, limits
                )
    save_results("profile", facts)


def training(size: str, folder: Path, steps: int, limits: dict[str, float]) -> dict[str, Any]:
    """One update on 4,096 tokens a side, as the trainer makes it."""
    choices = measured()
    batches, task = stream(folder, size)
    c = replace(PRESETS[size], vocab_size=VOCABULARY, dropout=0.1)
    update = run_pellucid(c, task, choices)
    taken = [next(batches) for _ in range(steps)]
    update(taken[0])
    tokens = sum(len(batch.labels) for batch in taken) / steps
    flops = 3 * tokens * per_token(c)  # backward: a product for the input, one for the weight
    floor = {"arithmetic": flops / limits["bf16" if choices.bf16 else "fp32"] / 1e9}
    return _profiled(f"{size}, training", lambda: [update(batch) for batch in taken], steps, floor)


def decoding(size: str, batch: int, steps: int, limits: dict[str, float]) -> dict[str, Any]:
    """A step of beam search: the model on beam * batch rows, candidates, reorder."""
    c = replace(PRESETS[size], vocab_size=VOCABULARY)
    model: Any = pack_model(build(c, seed=1).eval())
    rng = torch.Generator().manual_seed(0)
    rows = batch * BEAM
    source = torch.randint(4, VOCABULARY, (batch, LENGTH), generator=rng)
    ids = torch.randint(4, VOCABULARY, (rows, 1), generator=rng)
    scores = -torch.rand(batch, BEAM, generator=rng)
    parents = (torch.arange(rows) // BEAM * BEAM) + torch.randint(BEAM, (rows,), generator=rng)
    banned = torch.tensor([0, 1, 3])
    with torch.inference_mode():
        cache = model.prefill(source, None, batch)
    cache.expand(BEAM)

    @torch.inference_mode()
    def search() -> None:
        cache.truncate(0)
        for _ in range(steps):
            logits = model.step(ids, cache).logits[:, -1]
            best_continuations(logits, scores, banned, 2 * BEAM)
            cache.reorder(parents)

    search()
    d, f = c.d_model, c.d_ff
    weights = c.n_decoder_layers * (6 * d * d + 2 * d * f) + d * VOCABULARY  # read in each step
    floor = {
        "arithmetic": 2 * rows * weights / limits["fp32"] / 1e9,
        "bytes": 4 * weights / limits["read"] / 1e9,
    }
    return _profiled(f"{size}, decoding, batch {batch}, beam {BEAM}", search, steps, floor)


def per_token(c: ModelConfig) -> int:
    """Operations of one forward pass, for a target token and a source token together."""
    d, f = c.d_model, c.d_ff
    encoder = c.n_encoder_layers * (4 * d * d + 2 * d * f + 2 * LENGTH * d)
    decoder = c.n_decoder_layers * (8 * d * d + 2 * d * f + 4 * LENGTH * d)
    return 2 * (encoder + decoder + d * c.vocab_size)


def gflops(dtype: torch.dtype) -> float:
    """The fastest product of 2,048 rows of 1,024 by 1,024 here."""
    x, w = torch.randn(2048, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    product = torch.nn.functional.linear
    ways = [lambda: product(x, w)]
    if packed_linear.can_pack("fp32"):
        packed = packed_linear.pack(w.float(), None, "bf16" if dtype == torch.bfloat16 else "fp32")
        ways.append(lambda: packed(x))
    with torch.inference_mode():
        return 2 * 2048 * 1024 * 1024 / min(_best(way) for way in ways) / 1e9


def bandwidth() -> float:
    """GB/s when reading 256 MiB, far more than any cache holds."""
    x = torch.ones(1 << 26)
    return 4 * x.numel() / _best(x.sum) / 1e9


def _best(f: Callable[[], Any], times: int = 7) -> float:
    times_taken = []
    for _ in range(times):
        start = time.perf_counter()
        f()
        times_taken.append(time.perf_counter() - start)
    return min(times_taken)


def _profiled(
    title: str, work: Callable[[], Any], steps: int, floor: dict[str, float]
) -> dict[str, Any]:
    """Time of a step, its floor, and the operators that take the most of it."""
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        rounds.append((time.perf_counter() - start) / steps)
    step, least = statistics.median(rounds), max(floor.values())
    with profiler(activities=[ProfilerActivity.CPU]) as seen:
        work()
    events = sorted(seen.key_averages(), key=lambda e: -e.self_cpu_time_total)
    everything = sum(event.self_cpu_time_total for event in events)
    shares = {event.key: event.self_cpu_time_total / everything for event in events[:10]}
    names = ", ".join(f"{name} {1e3 * seconds:.2f} ms" for name, seconds in floor.items())
    print(f"\n{title}: {1e3 * step:.2f} ms a step; floor by {names} ({least / step:.0%} of it)")
    for event in events[:10]:
        print(f"  {shares[event.key]:6.1%}  {event.count / steps:7.1f} calls a step  {event.key}")
    return {"milliseconds": 1e3 * step, "floor_ms": 1e3 * least, "shares": shares}


if __name__ == "__main__":
    main()
