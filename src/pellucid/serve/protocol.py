"""Connections of clients that are slow: to send a request, or to read the response."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 30.0
CONNECTIONS = 512
READ_BYTES = 1 << 14
HEAD_BYTES = 1 << 16
"""Of the request line and the headers, at most."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed when its client takes too long, or sends too long a head.

    uvicorn itself waits for ever, and has no limit. The time for a request is counted from its
    first byte, or from the start of the connection, to the end of its body. Of a response that
    waits to be read, `READ_BYTES` must be read, or all that is left, each time `patience` is over.
    """

    patience = PATIENCE
    max_connections = CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes of responses when that timer was started
        self._head_bytes: int | None = None  # None outside a head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._reading = self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading = _cancel(self._reading)
        self._writing = _cancel(self._writing)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._reading = self._reading or self._start_timer()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading = _cancel(self._reading)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_writing()  # a closing connection waits until the rest is written

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def _start_timer(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.patience, self.transport.abort)

    def _watch_writing(self) -> None:
        """Check after `patience` that the client has read."""
        _cancel(self._writing)
        self._unread = self.transport.get_write_buffer_size()
        self._writing = self.loop.call_later(self.patience, self._check_writing)

    def _check_writing(self) -> None:
        self._writing = None
        unread = self.transport.get_write_buffer_size()
        if unread and unread > self._unread - READ_BYTES:
            self.transport.abort()
        elif unread:
            self._watch_writing()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def make_protocol(patience: float, connections: int) -> type[BoundedProtocol]:
    """Return a class of connections with these limits: uvicorn makes one for each client."""
    return type(
        "LimitedProtocol",
        (BoundedProtocol,),
        {"patience": patience, "max_connections": connections},
    )
