"""Calls to a decoder that runs in another thread, and what that thread replies."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from queue import SimpleQueue
from typing import Any, NamedTuple

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.generate import (
    NewIds,
    Request,
    best_of_groups,
    check_request,
    check_single_text,
    max_tokens,
)
from pellucid.decoding.search_state import Hypothesis, SpecialIds
from pellucid.errors import UsageError
from pellucid.nn.cache import Decoder


class CacheSize(NamedTuple):
    """The size of a cache."""

    rows: int
    """The number of texts."""
    length: int
    """Positions of the longest text and its source."""

    @property
    def tokens(self) -> int:
        """Positions of all rows, padding included."""
        return self.rows * self.length

    def joined_with(self, other: "CacheSize") -> "CacheSize":
        """Return the size of one cache for the texts of both."""
        return CacheSize(self.rows + other.rows, max(self.length, other.length))


def join_sizes(sizes: Iterable[CacheSize]) -> CacheSize:
    """Return the size of one cache for all texts."""
    return reduce(CacheSize.joined_with, sizes, CacheSize(0, 0))


class Session:
    """The calls of one client, which can be cancelled."""

    def __init__(
        self, model: Decoder, submit: Callable[["Call"], None], wake: Callable[[], None]
    ) -> None:
        """submit: takes a call to the other thread. wake: wakes that thread."""
        self.model, self.submit, self.wake = model, submit, wake
        self.error: Exception | None = None
        """Why its calls are cancelled; None while they are not."""

    def cancel(self, error: Exception) -> None:
        """Stop the calls of this session before the next step; they raise the error."""
        self.error = error
        self.wake()

    def generate(
        self,
        request: Request,
        special_ids: SpecialIds,
        config: DecodingConfig,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return what `pellucid.decoding.generate` returns.

        Raises: as it does, or the error that the session was cancelled with.
        """
        call = self._submit(Call(self, request, special_ids, config))
        results: list[list[Hypothesis]] = [[] for _ in request.sources]
        with call:
            for _ in request.sources:
                source, texts = call.receive()
                results[source] = best_of_groups(texts, config)
                if progress is not None:
                    progress(1)
        return results

    def stream(
        self, request: Request, special_ids: SpecialIds, config: DecodingConfig
    ) -> Iterator[NewIds]:
        """Yield what `pellucid.decoding.stream` yields. Raises: as `generate`."""
        check_single_text(config)
        call = self._submit(Call(self, request, special_ids, config, is_streamed=True))
        n_open = len(request.sources)
        with call:
            while n_open:
                new = call.receive()
                n_open -= new.ended
                yield new

    def _submit(self, call: "Call") -> "Call":
        check_request(self.model, call.request, call.special_ids, call.config)
        self.submit(call)
        return call


@dataclass(eq=False)
class Call:
    """A call, and what the thread that decodes sends to the one that waits."""

    session: Session
    request: Request
    special_ids: SpecialIds
    config: DecodingConfig
    is_streamed: bool = False
    """Whether the ids of each step are sent, instead of complete texts."""
    waiting: deque[int] = field(init=False)
    """Sources that have not begun."""
    replies: SimpleQueue = field(default_factory=SimpleQueue)
    error: Exception | None = None
    """What ended the call early."""

    def __post_init__(self) -> None:
        self.waiting = deque(range(len(self.request.sources)))

    def size(self, source: int, copies: int) -> CacheSize:
        """Return what so many copies of a source need at most."""
        length = len(self.request.sources[source]) + max_tokens(self.request, self.config, source)
        return CacheSize(self.config.width * copies, length)

    def is_over(self) -> bool:
        """Return whether the call has failed or is cancelled. In this case it raises the error."""
        if self.error is None and self.session.error is not None:
            self.fail(self.session.error)
        return self.error is not None

    def fail(self, error: Exception) -> None:
        """End the call with an error."""
        self.error = error
        self.waiting.clear()
        self.replies.put(error)

    def __enter__(self) -> "Call":
        return self

    def __exit__(self, *error: object) -> None:
        """End the call for the thread that decodes too, if it is left early."""
        if self.error is None:
            self.error = UsageError("the call has ended.")

    def receive(self) -> Any:
        """Return the next reply. Raises: the error that ended the call."""
        reply = self.replies.get()
        if isinstance(reply, Exception):
            raise reply
        return reply
