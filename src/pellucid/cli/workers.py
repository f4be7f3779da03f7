"""Several processes over one model: forked after it is loaded, so that all share its memory."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from pellucid.cli.faults import explained
from pellucid.errors import PellucidError, ResourceError

Job = TypeVar("Job")
Result = TypeVar("Result")
PAUSE = 0.02  # seconds between looks at the input while workers are busy
AHEAD = 8  # finished chunks a worker may lie waiting for an earlier one


def in_order(n: int, work: Callable[[Job], Result], jobs: Iterable[Job | None]) -> Iterator[Result]:
    """`work(job)` of each job in their order, done by n processes; None: no job is there yet.

    Raises: what a worker raised; ResourceError if one died.
    """
    ends, processes = [], []
    context = multiprocessing.get_context("fork")
    try:
        for _ in range(n):
            ours, theirs = context.Pipe()
            ends.append(ours)
            # A worker that kept another's end open would outlive us without noticing.
            process = context.Process(target=_serve, args=(theirs, work, list(ends)), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
        yield from _dealt(ends, jobs)
    finally:
        for end in ends:
            end.close()
        for process in processes:
            process.terminate()
            process.join()


def _dealt(ends: list[Connection], jobs: Iterable[Any]) -> Iterator[Any]:
    stream = iter(jobs)
    idle, busy = list(ends), {}  # connection -> number of its job
    done: dict[int, Any] = {}
    dealt = given = 0
    more = True
    while more or busy:
        if more and idle and dealt - given < AHEAD * len(ends):
            try:
                job = next(stream)
            except StopIteration:
                more = False
            else:
                if job is not None:
                    end = idle.pop()
                    _send(end, job)
                    busy[end] = dealt
                    dealt += 1
        at_once = more and idle and dealt - given < AHEAD * len(ends)
        for end in wait(list(busy), PAUSE if at_once else None) if busy else ():
            done[busy.pop(end)] = _received(end)  # type: ignore[index, arg-type]
            idle.append(end)  # type: ignore[arg-type]
        while given in done:
            yield done.pop(given)
            given += 1


def _send(end: Connection, job: Any) -> None:
    try:
        end.send(job)
    except BrokenPipeError:
        raise _died() from None


def _received(end: Connection) -> Any:
    try:
        fine, result = end.recv()
    except (EOFError, ConnectionResetError):
        raise _died() from None
    if not fine:
        kind, message = result
        raise kind(message)
    return result


def _died() -> ResourceError:
    return ResourceError(
        "a worker process died: it was killed, most likely for want of memory. Lines up to here"
        " are complete. Use fewer --workers or a smaller --batch-size."
    )


def _serve(end: Connection, work: Callable[[Any], Any], others: list[Connection]) -> None:
    """A worker's life: job in, result out, until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()
    try:
        while True:
            job = end.recv()
            try:
                with explained():
                    answer = True, work(job)
            except PellucidError as error:
                answer = False, (type(error), str(error))
            end.send(answer)
    except (EOFError, OSError):
        os._exit(0)  # whatever of the parent's output is buffered here is the parent's to write
