"""Ending computations of many forward passes whose result nobody waits for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pellucid.errors import PellucidError

_is_cancelled: ContextVar[Callable[[], bool]] = ContextVar("_is_cancelled")


class CancelledError(PellucidError):
    """Nobody waits for the result."""


@contextmanager
def cancel_if(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Let `check_cancelled` raise an error within the block, in this thread, once this is True."""
    token = _is_cancelled.set(is_cancelled)
    try:
        yield
    finally:
        _is_cancelled.reset(token)


def check_cancelled() -> None:
    """Called before each of many passes. Raises: CancelledError; see `cancel_if`."""
    is_cancelled = _is_cancelled.get(None)
    if is_cancelled is not None and is_cancelled():
        raise CancelledError("the client does not wait for this result any more.")
