"""Processes that generate texts for a server, forked from it after its models are loaded.

In one process, the thread that decodes and the one that reads requests wait for each other: Python
runs one of them at a time. And it decodes on one core. Forked processes share the weights.
"""

import gc
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, NamedTuple, Protocol

import torch

from pellucid.errors import PellucidError
from pellucid.serve.errors import ModelFailedError, convert_errors
from pellucid.serve.job import Job, Work

LOG = logging.getLogger("pellucid.serve")
STANDARD_FILES = 3
"""Standard input, output and error."""


class Message(NamedTuple):
    """What a process is asked to do."""

    number: int
    work: Work | None
    """None: give up the work of this number."""
    is_streamed: bool = False


class Reply(NamedTuple):
    """A result, a piece of a stream, or an error."""

    number: int
    value: Any = None
    error: Exception | None = None
    is_last: bool = True


class TextGenerator(Protocol):
    """What works in the process: see `pellucid.serve.worker.Worker`."""

    def search(self, job: Job) -> Future[list[Any]]: ...

    def stream(self, job: Job, put: Callable[[Any], None]) -> Future[None]: ...


@dataclass(frozen=True)
class RemoteCalls:
    """A job's work in another process, which can be given up."""

    stop: Callable[[], None]
    replies: SimpleQueue[Reply]

    def cancel(self, error: Exception) -> None:
        """Let the job raise an error, and the process give its work up."""
        self.replies.put(Reply(0, error=error))
        self.stop()


class GeneratorProcess:
    """A process that generates texts, and the jobs that wait for it."""

    def __init__(self, make: Callable[[], TextGenerator]) -> None:
        """make: called in the new process."""
        context = multiprocessing.get_context("fork")
        self._end, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, make), daemon=True)
        self._process.start()
        end.close()
        self._lock = Lock()
        self._numbers = count(1)
        self._replies: dict[int, SimpleQueue[Reply]] = {}
        self._receiver: Thread | None = None
        """Started by the first job: processes are forked from one without threads."""

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended. Ask in the thread that made it."""
        return self._process.is_alive()

    @property
    def n_open(self) -> int:
        """The number of jobs that wait for this process."""
        return len(self._replies)

    def search(self, job: Job) -> list[Any]:
        """Return the results of a job, one per input. Raises: as the method of the model."""
        with self._open(job, is_streamed=False) as replies:
            return _read(replies.get()).value

    def stream(self, job: Job, put: Callable[[Any], None]) -> None:
        """Put the pieces of the text of one prompt, then how it ended. Raises: as `search`."""
        with self._open(job, is_streamed=True) as replies:
            while not (reply := _read(replies.get())).is_last:
                put(reply.value)

    def close(self) -> None:
        """End the process. All jobs must be stopped."""
        self._process.terminate()

    @contextmanager
    def _open(self, job: Job, *, is_streamed: bool) -> Iterator[SimpleQueue[Reply]]:
        """Send a job, and receive its replies until the block ends."""
        number, replies = next(self._numbers), SimpleQueue[Reply]()
        with self._lock:
            self._replies[number] = replies
            if self._receiver is None:
                self._receiver = Thread(target=self._receive, daemon=True)
                self._receiver.start()
        try:
            job.session = RemoteCalls(lambda: self._stop(number), replies)
            job.cancel_calls()  # if it was stopped before it had a session
            self._begin(number, job, is_streamed)
            yield replies
        finally:
            with self._lock:
                del self._replies[number]

    def _begin(self, number: int, job: Job, is_streamed: bool) -> None:
        work = job.work  # whole, if the job is not stopped afterwards
        with self._lock:  # or it could be stopped, and the process be told so, before it begins
            if not job.stopped.is_set():
                self._put(Message(number, work, is_streamed))

    def _stop(self, number: int) -> None:
        with self._lock:
            self._put(Message(number, None))

    def _put(self, message: Message) -> None:
        try:
            self._end.send(message)
        except OSError:  # it has ended
            replies = self._replies.get(message.number)
            if replies is not None:
                replies.put(Reply(message.number, error=_died_error()))

    def _receive(self) -> None:
        """Give each reply to the job that waits for it, until the process ends."""
        while (reply := self._read_reply()) is not None:
            replies = self._replies.get(reply.number)
            if replies is not None:  # otherwise the job was given up
                replies.put(reply)
        self.close()
        with self._lock:
            for number, replies in self._replies.items():
                replies.put(Reply(number, error=_died_error()))

    def _read_reply(self) -> Reply | None:
        """Return the next reply; None if the process has ended, or it cannot be read."""
        try:
            with convert_errors():
                return self._end.recv()
        except ModelFailedError as error:
            if not isinstance(error.__cause__, (EOFError, OSError)):
                LOG.error("a reply cannot be read.", exc_info=error.__cause__)
            return None


def _read(reply: Reply) -> Reply:
    if reply.error is not None:
        raise reply.error
    return reply


def _died_error() -> ModelFailedError:
    return ModelFailedError("the process that generates text has ended. Ask again.")


def _serve(end: Connection, make: Callable[[], TextGenerator]) -> None:
    """Do the work of a process, until the server ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the server decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The server's sockets, and its ends of the pipes of other processes: while any process has
    # them open, the port is in use, and the others do not notice that the server has ended.
    os.closerange(STANDARD_FILES, end.fileno())
    os.closerange(end.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    torch.set_num_threads(1)
    gc.freeze()  # as in the server: full collections would stop every request
    _Child(end, make()).run()
    os._exit(0)


class _Child:
    """The jobs of a process."""

    def __init__(self, end: Connection, generator: TextGenerator) -> None:
        self.end, self.generator = end, generator
        self.jobs: dict[int, Job] = {}
        self.lock = Lock()

    def run(self) -> None:
        """Begin what is asked for, until the server ends."""
        while (message := self.receive()) is not None:
            if message.work is None:
                job = self.jobs.get(message.number)
                if job is not None:
                    job.stop()
            else:
                self.begin(message.number, Job(message.work), message.is_streamed)

    def receive(self) -> Message | None:
        """Return what the server asks for; None if it has ended."""
        try:
            return self.end.recv()
        except (EOFError, OSError):
            return None

    def begin(self, number: int, job: Job, is_streamed: bool) -> None:
        """Begin a job."""
        self.jobs[number] = job
        if is_streamed:
            future = self.generator.stream(
                job, lambda piece: self.send(Reply(number, piece, is_last=False))
            )
        else:
            future = self.generator.search(job)
        future.add_done_callback(lambda done: self.send(self.end_job(number, done)))

    def end_job(self, number: int, done: Future[Any]) -> Reply:
        """Return the last reply of a job."""
        del self.jobs[number]
        try:
            with convert_errors():
                return Reply(number, done.result())
        except PellucidError as error:
            if error.__cause__ is not None:  # it is not sent
                LOG.error("%s", error, exc_info=error.__cause__)
            return Reply(number, error=error)

    def send(self, reply: Reply) -> None:
        """Send a reply. Nothing is done if the server has ended."""
        try:
            with convert_errors(), self.lock:
                self.end.send(reply)
        except ModelFailedError as error:
            if not isinstance(error.__cause__, OSError):
                LOG.error("the result cannot be sent.", exc_info=error.__cause__)
                self.send(Reply(reply.number, error=error))
