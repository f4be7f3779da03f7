"""Libraries measured in turns: each in its own process, while the others wait idle.

Separate processes keep memory allocators, threads and peak memory apart. In turns, because then a
machine that slows down, or has other work, slows all of them alike.
"""

import multiprocessing as mp
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from benchmarks.memory import process_mib

QUIET = 0.15
"""Cores that other processes may use in a round that counts as undisturbed."""

Run = Callable[[], float]
"""Does one round's work and returns how much that was."""


class Contestant(NamedTuple):
    """What to measure: in its own process, `make(*args)` returns a `Run` and extra results."""

    make: Callable[..., tuple[Run, Any]]
    args: tuple


@dataclass
class Measured:
    """The results of one contestant."""

    rates: list[float] = field(default_factory=list)
    """Work per second in each round."""
    cpu_rates: list[float] = field(default_factory=list)
    """Work a second of the contestant's CPU time, which waiting for a core does not lengthen."""
    others: list[float] = field(default_factory=list)
    """Cores that other processes used in each round."""
    peak_mib: float = 0.0
    extra: Any = None

    @property
    def median(self) -> float:
        """The median rate of undisturbed rounds, or of all rounds if none was."""
        quiet = [r for r, o in zip(self.rates, self.others, strict=True) if o < QUIET]
        return statistics.median(quiet or self.rates)

    def row(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "best": max(self.rates),
            "rounds": len(self.rates),
            "quiet_rounds": sum(o < QUIET for o in self.others),
            "cores_used_by_others": statistics.median(self.others),
            "peak_mib": self.peak_mib,
        }


def contest(
    contestants: Mapping[str, Contestant], rounds: int, threads: int
) -> dict[str, Measured]:
    """Measure all contestants in alternating rounds, after an uncounted first round of each."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a child loads its OpenMP
    context = mp.get_context("spawn")
    pipes: dict[str, Connection] = {}
    children = []
    for name, contestant in contestants.items():
        here, there = context.Pipe()
        child = context.Process(target=_serve, args=(there, threads, *contestant), daemon=True)
        child.start()
        there.close()
        pipes[name] = here
        children.append(child)
        here.recv()  # ready, and warm
    measured = {name: Measured() for name in contestants}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            busy, start = _cpu_seconds(), time.perf_counter()
            pipe.send("run")
            work, cpu_seconds, measured[name].peak_mib = pipe.recv()
            seconds = time.perf_counter() - start
            measured[name].rates.append(work / seconds)
            measured[name].cpu_rates.append(work / cpu_seconds)
            measured[name].others.append(max(0.0, _cpu_seconds() - busy - cpu_seconds) / seconds)
    for name, pipe in pipes.items():
        pipe.send("end")
        measured[name].extra = pipe.recv()
    for child in children:
        child.join()
    return measured


def _serve(pipe: Connection, threads: int, make: Callable, args: tuple) -> None:
    import torch

    torch.set_num_threads(threads)
    run, extra = make(*args)
    run()
    pipe.send("ready")
    while pipe.recv() == "run":
        before = time.process_time()
        work = run()
        pipe.send((work, time.process_time() - before, process_mib("VmHWM")))
    pipe.send(extra)


def _cpu_seconds() -> float:
    """Return the CPU seconds of all processes of this machine so far."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, soft, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
