"""Contestants measured side by side: a process each, taking turns, while the others wait idle.

A process each, so that nobody's memory allocator, threads or peak memory is another's; turns, so
that a machine that slows down or is shared slows all of them.
"""

import multiprocessing as mp
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

QUIET = 0.15
"""Cores that others may use in a round which counts as undisturbed."""

Run = Callable[[], float]
"""One round's work; gives how much was done."""


class Contestant(NamedTuple):
    """How to get ready, in a process of its own: `make(*args)` gives its `Run`, and extras."""

    make: Callable[..., tuple[Run, Any]]
    args: tuple


@dataclass
class Measured:
    """What one contestant did."""

    rates: list[float] = field(default_factory=list)
    """Work a second, a number for each round."""
    cpu_rates: list[float] = field(default_factory=list)
    """Work a second of the contestant's CPU time, which waiting for a core does not lengthen."""
    others: list[float] = field(default_factory=list)
    """Cores that other processes used meanwhile."""
    peak_mib: float = 0.0
    extra: Any = None

    @property
    def median(self) -> float:
        """Of undisturbed rounds, if there are any."""
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
    """Every contestant's rounds, in alternation; a first round of each is not counted."""
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
            busy, start = _busy(), time.perf_counter()
            pipe.send("run")
            work, own, measured[name].peak_mib = pipe.recv()
            seconds = time.perf_counter() - start
            measured[name].rates.append(work / seconds)
            measured[name].cpu_rates.append(work / own)
            measured[name].others.append(max(0.0, _busy() - busy - own) / seconds)
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
        pipe.send((work, time.process_time() - before, _peak_mib()))
    pipe.send(extra)


def _peak_mib() -> float:
    """The most memory this process has held; getrusage would count its parent's before exec."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def _busy() -> float:
    """CPU seconds that this machine's cores have worked, all processes together."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, soft, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
