"""A piece of work that a request asks of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol

from pellucid.errors import UsageError

STOPPED = "the request is given up."


class Session(Protocol):
    """The calls of one job, which can be cancelled."""

    def cancel(self, error: Exception) -> None:
        """Stop the calls; they raise the error."""
        ...


@dataclass(frozen=True)
class Work:
    """What a request asks of a model."""

    verb: str
    """A method of `Loaded`, where `trace` gives its result encoded; or `explore`: requests of the
    explorer's page as inputs, and JSON as results."""
    inputs: Sequence[Any]
    """Texts, or pairs of them."""
    settings: Mapping[str, Any]
    """Keyword arguments of the method."""
    deadline: float | None = None
    """On `time.monotonic()`; None: no limit."""


@dataclass(eq=False)
class Job:
    """A piece of work that waits or runs."""

    work: Work
    start: float | None = None
    """When it began; None: it waits."""
    session: Session | None = None
    """Its calls to a decoder."""
    stopped: Event = field(default_factory=Event)
    """Set when nobody waits for the result any more."""

    def stop(self) -> None:
        """Give the work up, before the next decoding step."""
        if not self.stopped.is_set():
            self.stopped.set()
            # It may wait for a thread for long, and then needs no memory.
            self.work = Work(self.work.verb, (), {})
            self.cancel_calls()

    def cancel_calls(self) -> None:
        """Cancel the calls of a job that is stopped, if it has a session."""
        if self.session is not None and self.stopped.is_set():
            self.session.cancel(UsageError(STOPPED))
