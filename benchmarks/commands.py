"""Our command line, run and timed as a user runs it."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

TRANSLATE = ("-m", "pellucid", "translate")


class Ran(NamedTuple):
    """One process."""

    seconds: float
    peak_mib: float
    output: str


def run(arguments: Sequence[str], text: str = "", threads: int | None = None) -> Ran:
    """Run this Python with these arguments. Ends the benchmark if the command fails."""
    limited = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, **limited},
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} gave exit code {done.returncode}:\n{done.stderr[-2000:]}")
    lines = text.count("\n")
    if done.stdout.count("\n") < lines:  # a command that does nothing is quick
        sys.exit(f"{' '.join(arguments)} wrote fewer than {lines} lines:\n{done.stdout[-500:]}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Ran(seconds, peak, done.stdout)


def median(runs: Sequence[Ran]) -> float:
    return statistics.median(one.seconds for one in runs)
