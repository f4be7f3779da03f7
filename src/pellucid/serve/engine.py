"""One model's work: a bounded queue, and the thread that does one piece of work at a time."""

import asyncio
import time
from asyncio import FIRST_COMPLETED
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from pellucid.api import Loaded
from pellucid.explorer.respond import LiveModel, respond
from pellucid.inference.methods import StreamEnd
from pellucid.serve.errors import (
    DeadlineExceededError,
    OverloadedError,
    ShuttingDownError,
    convert_errors,
)
from pellucid.serve.limits import Limits

CLOSED = "the server shuts down. Ask again later."
CHUNK = 16
"""Inputs after which a thread looks whether its work is still wanted."""
NUMBERED = ("translate", "generate", "summarize")
"""Verbs that number their texts, because samples depend on it."""


@dataclass(frozen=True)
class Work:
    """What a request asks of a model."""

    verb: str
    """A method of `Loaded`; or `explore`, whose inputs are requests of the explorer's page."""
    inputs: Sequence[Any]
    """Texts, or pairs of them."""
    settings: Mapping[str, Any]
    """Keyword arguments of the method."""
    deadline: float | None = None
    """On `time.monotonic()`; None: no limit."""


@dataclass(eq=False)
class _Job:
    """A piece of work that waits or runs."""

    closed: asyncio.Future[None]
    """Done when the engine gives the work up."""
    stopped: Event = field(default_factory=Event)
    """Set when nobody waits for the result any more."""
    start: float | None = None
    """When the thread began; None: the work waits."""


class Engine:
    """A model, the queue of its work, and the thread that does it."""

    def __init__(self, model: Loaded, name: str, limits: Limits) -> None:
        self.model = model
        self.name = name
        self.outcomes = Counter[str]()
        """Finished work by outcome: done, refused, late, cancelled, failed."""
        self._limits = limits
        self._live = LiveModel(model.bundle, name)
        self._jobs = set[_Job]()
        self._seconds = 0.0  # per piece of work, a moving average
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"engine-{name}")

    @property
    def queued(self) -> int:
        """Pieces of work that wait."""
        return sum(job.start is None for job in tuple(self._jobs))

    @property
    def running(self) -> int:
        """Pieces of work that are being done."""
        return sum(job.start is not None for job in tuple(self._jobs))

    async def run(self, work: Work) -> list[Any]:
        """Return one result per input, as the method returns them.

        Cancelling the task drops the work.
        Raises: OverloadedError, DeadlineExceededError, ShuttingDownError, ModelFailedError, or as
        the method.
        """
        with self._admit() as job, convert_errors():
            future = self._thread.submit(self._compute, job, work)
            return await _wait(job, work.deadline, asyncio.wrap_future(future))

    async def stream(self, work: Work) -> AsyncIterator[str | StreamEnd]:
        """Yield the text of one prompt piece by piece, then how it ended. Raises: as `run`."""
        pieces = asyncio.Queue[str | StreamEnd | None]()
        loop = asyncio.get_running_loop()

        def put(piece: str | StreamEnd | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        with self._admit() as job, convert_errors():
            future = self._thread.submit(self._stream, job, work, put)
            future.add_done_callback(lambda _: put(None))
            while (piece := await _wait(job, work.deadline, pieces.get())) is not None:
                yield piece
            future.result()

    async def close(self, patience: float) -> None:
        """Refuse new and waiting work, and finish within `patience` seconds what runs."""
        self._is_closed = True
        for job in self._jobs:
            if job.start is None:
                job.closed.set_result(None)
        end = time.monotonic() + patience
        while self._jobs and time.monotonic() < end:
            await asyncio.sleep(0.02)
        for job in self._jobs:
            job.closed.set_result(None)
        self._thread.shutdown(wait=False)

    def check_open(self) -> None:
        """Raises: OverloadedError, ShuttingDownError if work would be refused now."""
        if self._is_closed:
            raise ShuttingDownError(CLOSED)
        if self.queued >= self._limits.queue:
            seconds = max(1.0, self._seconds * len(self._jobs))
            raise OverloadedError(
                f"{self.queued} requests wait for {self.name}, the most that may. Ask again in"
                f" {seconds:.0f} seconds.",
                seconds,
            )

    @contextmanager
    def _admit(self) -> Iterator[_Job]:
        """Put a job into the queue until the block ends.

        Raises: OverloadedError, ShuttingDownError.
        """
        try:
            self.check_open()
        except OverloadedError:
            self.outcomes["refused"] += 1
            raise
        job, outcome = _Job(asyncio.get_running_loop().create_future()), "failed"
        self._jobs.add(job)
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
        finally:
            self.outcomes[outcome] += 1
            job.stopped.set()
            self._jobs.discard(job)

    def _compute(self, job: _Job, work: Work) -> list[Any]:
        """Do the work in the thread, until nobody waits for it."""
        results: list[Any] = []
        job.start = time.monotonic()
        for first in range(0, len(work.inputs), CHUNK):
            if job.stopped.is_set():
                break
            settings = dict(work.settings)
            if work.verb in NUMBERED:
                settings["first"] = first
            results += self._call(work.verb, work.inputs[first : first + CHUNK], settings)
        return results

    def _call(self, verb: str, inputs: Sequence[Any], settings: dict[str, Any]) -> list[Any]:
        if verb == "explore":
            return [respond(self._live, record) for record in inputs]
        method = getattr(self.model, verb)
        if verb == "trace":
            return [method(text, **settings) for text in inputs]
        return list(method(inputs, **settings))

    def _stream(self, job: _Job, work: Work, put: Callable[[str | StreamEnd], None]) -> None:
        """Put the pieces of a text, until nobody waits for them."""
        job.start = time.monotonic()
        (prompt,) = work.inputs
        pieces = self.model.stream(prompt, **work.settings)
        while not job.stopped.is_set():
            try:
                put(next(pieces))
            except StopIteration as stop:
                put(stop.value)
                return


async def _wait(job: _Job, deadline: float | None, result: Awaitable[Any]) -> Any:
    """Return an awaitable's result.

    Raises: DeadlineExceededError if it is late; ShuttingDownError if the engine gives the work up.
    """
    task = asyncio.ensure_future(result)
    timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        await asyncio.wait({task, job.closed}, timeout=timeout, return_when=FIRST_COMPLETED)
        if task.done():
            return task.result()
        if job.closed.done():
            raise ShuttingDownError(CLOSED)
        raise DeadlineExceededError(
            "the request was not done within its timeout. Ask for less, or set a longer timeout."
        )
    finally:
        task.cancel()
