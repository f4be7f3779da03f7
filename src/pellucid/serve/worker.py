"""The threads that do a model's work.

One thread computes. Verbs that search for texts run in threads of their own, which wait for it most
of the time: it takes the decoding steps of all of them together (continuous batching). Between two
steps it does other work: requests for the same verb that wait at the same time are one batch.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from pellucid.allocator import FreedMemory
from pellucid.api import Loaded
from pellucid.errors import UsageError
from pellucid.explain.cancellation import cancel_if
from pellucid.explain.encode import encode
from pellucid.explorer.json_text import dump_json
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.respond import respond
from pellucid.inference.methods import StreamEnd, can_generate
from pellucid.serve.job import STOPPED, Job, Work
from pellucid.serve.limits import Limits
from pellucid.serve.processes import GeneratorProcess

SEARCHES = ("translate", "generate", "summarize")
"""Verbs that generate texts."""
SLOW_VERBS = ("explore", "trace")
"""Verbs whose inputs are computed one by one, and whose requests are no batch."""
FREE_SECONDS = 5.0
"""Until memory that steps have freed is returned to the system again."""
BATCH, CHUNK = 64, 16
"""Inputs of a batch of requests, and those that are computed between two decoding steps."""


@dataclass(eq=False)
class Group:
    """Jobs with the same verb and settings, which are done as one."""

    verb: str
    settings: Mapping[str, Any]
    jobs: list[Job] = field(default_factory=list)
    is_open: bool = True
    """Whether jobs may be added: the group has not begun."""
    results: Future[dict[Job, list[Any]]] = field(init=False)
    """One result per input. If it fails with several jobs, any of them may be the reason."""

    def has_room(self, work: Work) -> bool:
        """Return whether the work can be done with that of the group."""
        if not self.is_open or (self.verb, self.settings) != (work.verb, work.settings):
            return False
        return sum(len(each.inputs) for each in (work, *(j.work for j in self.jobs))) <= BATCH

    def is_cancelled(self) -> bool:
        """Return whether nobody waits for the results."""
        return all(job.stopped.is_set() for job in self.jobs)


class Worker:
    """The threads of a model, and the decoder that they share, or the processes that generate."""

    def __init__(self, model: Loaded, name: str, limits: Limits, n_processes: int = 0) -> None:
        """n_processes: processes that generate texts; 0: a thread of this one does."""
        self.model = model
        self._live = LiveModel(model.bundle, name)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model-{name}")
        self._callers = ThreadPoolExecutor(limits.running, thread_name_prefix=f"call-{name}")
        self._decoder = None
        if can_generate(model.bundle):
            self._decoder = model.shared_decoder(self._wake, limits.cache_bytes)
        else:
            n_processes = 0
        part = replace(limits, cache_bytes=max(1, limits.cache_bytes // max(1, n_processes)))
        self._processes = [
            GeneratorProcess(lambda: Worker(model, name, part)) for _ in range(n_processes)
        ]
        self._is_decoding = self._is_closed = False
        self._group: Group | None = None  # the last one
        self._lock = Lock()
        self._freed = FreedMemory(FREE_SECONDS)

    @property
    def is_broken(self) -> bool:
        """Whether one of the processes has ended before `close`."""
        return not self._is_closed and not all(process.is_alive for process in self._processes)

    def search(self, job: Job) -> Future[list[Any]]:
        """Begin work that generates texts, one result per input."""
        return self._callers.submit(self._search, job)

    def stream(self, job: Job, put: Callable[[str | StreamEnd], None]) -> Future[None]:
        """Begin the text of one prompt, whose pieces are put one by one, then how it ended."""
        return self._callers.submit(self._stream, job, put)

    def join(self, job: Job, *, alone: bool = False) -> Group:
        """Begin other work. Return the group that does it."""
        work = job.work
        with self._lock:
            group = self._group
            if group is not None and not alone and group.has_room(work):
                group.jobs.append(job)
                return group
            is_open = not (alone or work.verb in SLOW_VERBS)
            self._group = group = Group(work.verb, work.settings, [job], is_open)
            group.results = self._thread.submit(self._compute, group)
            return group

    def close(self) -> None:
        """End the threads when what they compute is done. All jobs must be stopped."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
        if was_closed:
            return
        self._callers.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.close()
        if self._decoder is not None:
            self._thread.submit(self._decoder.close)  # or callers would wait for ever
        self._thread.shutdown(wait=False)

    def _enter(self, job: Job) -> Loaded:
        """Return the model whose searches belong to the job."""
        assert self._decoder is not None
        job.session = self._decoder.session()
        job.cancel_calls()  # if it was stopped before it had a session
        return self.model.in_session(job.session)

    def _choose_process(self) -> GeneratorProcess:
        return min(self._processes, key=lambda process: process.n_open)

    def _search(self, job: Job) -> list[Any]:
        job.start = time.monotonic()
        if self._processes:
            return self._choose_process().search(job)
        method = getattr(self._enter(job), job.work.verb)
        return list(method(job.work.inputs, **job.work.settings))

    def _stream(self, job: Job, put: Callable[[str | StreamEnd], None]) -> None:
        job.start = time.monotonic()
        if self._processes:
            return self._choose_process().stream(job, put)
        model, work = self._enter(job), job.work
        if job.stopped.is_set():  # and may have lost its work
            raise UsageError(STOPPED)
        (prompt,) = work.inputs
        pieces = model.stream(prompt, **work.settings)
        while True:
            try:
                put(next(pieces))
            except StopIteration as end:
                put(end.value)
                return None

    def _compute(self, group: Group) -> dict[Job, list[Any]]:
        """Do the work of a group, until nobody waits for it."""
        with self._lock:
            group.is_open = False
        results: dict[Job, list[Any]] = {job: [] for job in group.jobs}
        for job in group.jobs:
            job.start = time.monotonic()
        # A job that was stopped has no inputs.
        waiting = [(job, each) for job in group.jobs for each in job.work.inputs]
        for first in range(0, len(waiting), CHUNK):
            if group.is_cancelled():
                break
            jobs, inputs = zip(*waiting[first : first + CHUNK], strict=True)
            with cancel_if(group.is_cancelled):
                computed = self._call(group.verb, inputs, group.settings)
            for job, result in zip(jobs, computed, strict=True):
                results[job].append(result)
            if self._decoder is not None and self._decoder.has_work:
                self._decoder.step()
        return results

    def _call(self, verb: str, inputs: Sequence[Any], settings: Mapping[str, Any]) -> list[Any]:
        if verb == "explore":
            return [dump_json(respond(self._live, record)) for record in inputs]
        method = getattr(self.model, verb)
        if verb == "trace":
            return [encode(method(text, **settings)) for text in inputs]
        return list(method(inputs, **settings))

    def _wake(self) -> None:
        """Let the thread decode."""
        with self._lock:
            if self._is_decoding or self._is_closed:
                return
            self._is_decoding = True
        self._thread.submit(self._decode)

    def _decode(self) -> None:
        """Take a step, and again after the other work that waits."""
        assert self._decoder is not None
        try:
            self._decoder.step()
            self._freed.release()
        finally:
            with self._lock:
                goes_on = self._is_decoding = self._decoder.has_work and not self._is_closed
            if goes_on:
                self._thread.submit(self._decode)
