"""Run jobs in several processes, forked after the model is loaded so that they share it."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

from pellucid.cli.faults import convert_errors
from pellucid.errors import PellucidError, ResourceError, UsageError

Job = TypeVar("Job")
Result = TypeVar("Result")
PAUSE = 0.02  # seconds between checks of the input while workers are busy
AHEAD = 8  # finished jobs per worker that may wait for an earlier one
MAX_WORKERS = 64
NO_MORE = object()


class Outcome(NamedTuple):
    """The result or error of one job."""

    result: Any = None
    error: PellucidError | None = None


def check_workers(n: int, device: str, fewest: int = 0) -> None:
    """Raises: UsageError if this machine and device cannot run that many workers."""
    if not fewest <= n <= MAX_WORKERS:
        raise UsageError(f"--workers {n}: give a number from {fewest} to {MAX_WORKERS}.")
    if n > fewest and not hasattr(os, "fork"):
        raise UsageError("--workers needs fork(), which this system lacks. Leave it out.")
    if n > fewest and device not in ("auto", "cpu"):
        raise UsageError("--workers is for the CPU: leave it out, or set --device cpu.")


def in_order(n: int, work: Callable[[Job], Result], jobs: Iterable[Job | None]) -> Iterator[Result]:
    """Yield `work(job)` of each job in order, computed by n processes. None: no job is ready yet.

    Raises, after the results of all earlier jobs: what a worker raised, ResourceError if one died,
    what `jobs` raised.
    """
    ends, processes = [], []
    context = multiprocessing.get_context("fork")
    try:
        for _ in range(n):
            end, worker_end = context.Pipe()
            ends.append(end)
            # Workers close these ends: otherwise they would not notice when this process ends.
            arguments = (worker_end, work, list(ends))
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            worker_end.close()
            processes.append(process)
        yield from _Dealer(ends, jobs).results()
    finally:
        for end in ends:
            end.close()
        for process in processes:
            process.terminate()
            process.join()


class _Dealer:
    """Sends jobs to idle workers, and returns their results in order."""

    def __init__(self, ends: list[Connection], jobs: Iterable[Any]) -> None:
        self.jobs = iter(jobs)
        self.idle = list(ends)
        self.busy: dict[Any, int] = {}  # connection -> number of its job
        self.outcomes: dict[int, Outcome] = {}  # of jobs that wait for an earlier one
        self.max_ahead = AHEAD * len(ends)
        self.n_sent = self.n_returned = 0
        self.ended = False

    def results(self) -> Iterator[Any]:
        """Raises: the first error, in the order of the jobs."""
        while not self.ended or self.busy or self.outcomes:
            if self._can_send():
                self._send_next()
            if self.busy:
                for end in wait(list(self.busy), PAUSE if self._can_send() else None):
                    self._receive(end)
            while self.n_returned in self.outcomes:
                outcome = self.outcomes.pop(self.n_returned)
                self.n_returned += 1
                if outcome.error:
                    raise outcome.error
                yield outcome.result

    def _can_send(self) -> bool:
        ahead = self.n_sent - self.n_returned
        return not self.ended and bool(self.idle) and ahead < self.max_ahead

    def _send_next(self) -> None:
        """Send the next job, if there is one. An error while reading it is raised in its order."""
        number = self.n_sent
        try:
            with convert_errors():
                job = next(self.jobs, NO_MORE)
        except PellucidError as error:
            self._note(number, Outcome(error=error))
            return
        if job is NO_MORE:
            self.ended = True
        elif job is not None:
            end = self.idle.pop()
            self.n_sent += 1
            try:
                end.send(job)
            except (BrokenPipeError, ConnectionResetError):
                self._note(number, Outcome(error=_died_error()))
            else:
                self.busy[end] = number

    def _receive(self, end: Any) -> None:
        number = self.busy.pop(end)
        try:
            outcome = end.recv()
        except (EOFError, ConnectionResetError):
            outcome = Outcome(error=_died_error())
        else:
            self.idle.append(end)
        self._note(number, outcome)

    def _note(self, number: int, outcome: Outcome) -> None:
        self.outcomes[number] = outcome
        self.ended = self.ended or outcome.error is not None


def _died_error() -> ResourceError:
    return ResourceError(
        "a worker process died: it was killed, most likely because memory ran out. Lines up to"
        " here are complete. Use fewer --workers or a smaller --batch-size."
    )


def _serve(end: Connection, work: Callable[[Any], Any], others: list[Connection]) -> None:
    """Run a worker: job in, outcome out, until its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()
    try:
        while True:
            job = end.recv()
            try:
                with convert_errors():
                    outcome = Outcome(work(job))
            except PellucidError as error:
                outcome = Outcome(error=error)
            end.send(outcome)
    except (EOFError, OSError):
        os._exit(0)  # output of the parent that is buffered here is the parent's to write
