"""One model's work as asyncio sees it: a bounded queue, deadlines, and the end."""

import asyncio
import time
from asyncio import FIRST_COMPLETED
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from pellucid.api import Loaded
from pellucid.errors import PellucidError
from pellucid.inference.methods import StreamEnd
from pellucid.serve.errors import (
    DeadlineExceededError,
    OverloadedError,
    ShuttingDownError,
    convert_errors,
    status_of,
)
from pellucid.serve.job import Job, Work
from pellucid.serve.limits import Limits
from pellucid.serve.worker import SEARCHES, Worker

CLOSED = "the server shuts down. Ask again later."


class Engine:
    """A model, the queue of its work, and the threads that do it."""

    def __init__(self, model: Loaded, name: str, limits: Limits, n_processes: int = 0) -> None:
        """n_processes: processes that generate texts; 0: this one does."""
        self.model = model
        self.name = name
        self.outcomes = Counter[str]()
        """Finished work by outcome: done, invalid, refused, late, cancelled, failed."""
        self._limits = limits
        self._worker = Worker(model, name, limits, n_processes)
        self._jobs = dict[Job, asyncio.Future[None]]()  # done when the engine gives the job up
        self._seconds = 0.0  # per piece of work, a moving average
        self._is_closed = False

    @property
    def queued(self) -> int:
        """Pieces of work that wait."""
        return sum(job.start is None for job in tuple(self._jobs))

    @property
    def running(self) -> int:
        """Pieces of work that are being done."""
        return sum(job.start is not None for job in tuple(self._jobs))

    @property
    def is_broken(self) -> bool:
        """Whether one of the processes has died."""
        return self._worker.is_broken

    @property
    def is_full(self) -> bool:
        """Whether no more work may wait."""
        return self.queued >= self._limits.queue

    async def run(self, work: Work) -> list[Any]:
        """Return one result per input, as the method returns them.

        Cancelling the task drops the work.
        Raises: OverloadedError, DeadlineExceededError, ShuttingDownError, ModelFailedError, or as
        the method.
        """
        with self._admit(work) as job, convert_errors():
            if work.verb in SEARCHES:
                return await self._wait(job, asyncio.wrap_future(self._worker.search(job)))
            group = self._worker.join(job)
            await self._wait(job, _settle(group.results))
            if len(group.jobs) > 1 and group.results.exception() is not None:
                group = self._worker.join(job, alone=True)
                await self._wait(job, _settle(group.results))
            return group.results.result()[job]

    async def stream(self, work: Work) -> AsyncIterator[str | StreamEnd]:
        """Yield the text of one prompt piece by piece, then how it ended. Raises: as `run`."""
        pieces = asyncio.Queue[str | StreamEnd | None]()
        loop = asyncio.get_running_loop()

        def put(piece: str | StreamEnd | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        with self._admit(work) as job, convert_errors():
            future = self._worker.stream(job, put)
            future.add_done_callback(lambda _: put(None))
            try:
                while (piece := await self._wait(job, pieces.get())) is not None:
                    yield piece
                future.result()
            finally:
                future.cancel()

    async def close(self, patience: float) -> None:
        """Refuse new and waiting work, and finish within `patience` seconds what runs."""
        self._is_closed = True
        self._stop([job for job in self._jobs if job.start is None])
        end = time.monotonic() + patience
        while self._jobs and time.monotonic() < end:
            await asyncio.sleep(0.02)
        self._stop([*self._jobs])
        self._worker.close()

    def check_open(self) -> None:
        """Raises: OverloadedError, ShuttingDownError if work would be refused now."""
        if self._is_closed:
            raise ShuttingDownError(CLOSED)
        if self.is_full:
            seconds = max(1.0, self._seconds * len(self._jobs) / max(1, self.running))
            raise OverloadedError(
                f"{self.queued} requests wait for {self.name}, the most that may. Ask again in"
                f" {seconds:.0f} seconds.",
                seconds,
            )

    @contextmanager
    def _admit(self, work: Work) -> Iterator[Job]:
        """Put a job into the queue until the block ends.

        Raises: OverloadedError, ShuttingDownError.
        """
        try:
            self.check_open()
        except OverloadedError:
            self.outcomes["refused"] += 1
            raise
        job, outcome = Job(work), "failed"
        self._jobs[job] = asyncio.get_running_loop().create_future()
        try:
            yield job
            outcome = "done"
            if job.start is not None:
                self._seconds += 0.1 * (time.monotonic() - job.start - self._seconds)
        except DeadlineExceededError:
            outcome = "late"
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "cancelled"
            raise
        except PellucidError as error:
            if status_of(error) == HTTPStatus.BAD_REQUEST:
                outcome = "invalid"
            raise
        finally:
            self.outcomes[outcome] += 1
            if outcome != "done":
                job.stop()
            del self._jobs[job]

    def _stop(self, jobs: Sequence[Job]) -> None:
        """Give jobs up because the server ends."""
        for job in jobs:
            job.stop()
            if not self._jobs[job].done():
                self._jobs[job].set_result(None)

    async def _wait(self, job: Job, result: Awaitable[Any]) -> Any:
        """Return an awaitable's result.

        Raises: DeadlineExceededError if it is late; ShuttingDownError if the job is given up.
        """
        task, closed, deadline = asyncio.ensure_future(result), self._jobs[job], job.work.deadline
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            await asyncio.wait({task, closed}, timeout=timeout, return_when=FIRST_COMPLETED)
            if closed.done():
                raise ShuttingDownError(CLOSED)
            if task.done():
                return task.result()
            raise DeadlineExceededError(
                "the request was not done within its timeout. Ask for less, or set a longer"
                " timeout."
            )
        finally:
            task.cancel()


async def _settle(future: Future[Any]) -> None:
    """Wait until a future is done, or has failed. Cancelling leaves it to others that wait."""
    wrapped = asyncio.wrap_future(future)
    wrapped.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, no warning
    await asyncio.wait([wrapped])
