"""ASGI middleware: checks access and size of requests; cancels work of clients that went away."""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from pellucid.errors import PellucidError
from pellucid.explorer.server import HEADERS
from pellucid.serve.access import Access
from pellucid.serve.errors import FORM, RequestError, error_response
from pellucid.serve.limits import Limits
from pellucid.serve.pending import PendingBytes, PendingRequest

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Observer = Callable[[Scope, int, float], None]
"""Called with the request, its status, and the seconds that it took."""

REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
DISCONNECTED = 499
"""The status in the metrics of a client that went away."""


class RequestMiddleware:
    """Checks requests before the application sees them, and passes on the whole body at once."""

    def __init__(
        self,
        app: Application,
        access: Access,
        limits: Limits,
        observe: Observer,
        check_open: Callable[[], None],
    ) -> None:
        """check_open: raises an error if no work can be taken now.

        A server that is asked for far more than it can do must refuse at little cost: before it
        reads a request.
        """
        self.app = app
        self.access = access
        self.check_open = check_open
        self.limits = limits
        self.observe = observe
        self.pending = PendingBytes(limits.pending_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        begin, reply = time.monotonic(), _Reply(send, headers)
        try:
            with self.pending.request() as pending:
                try:
                    self.access.check(scope["path"], headers)
                    if scope["method"] == "POST":
                        self.check_open()
                    body = (
                        b""
                        if scope["method"] in ("GET", "HEAD")
                        else await self._read(scope, headers, receive, pending)
                    )
                except PellucidError as error:
                    await error_response(error, scope["path"])(scope, receive, reply.send)
                else:
                    await self._respond(scope, body, receive, reply)
        finally:
            self.observe(scope, reply.status or DISCONNECTED, time.monotonic() - begin)

    async def _read(
        self, scope: Scope, headers: dict[str, str], receive: Receive, pending: PendingRequest
    ) -> bytes:
        """Return the body.

        Raises: RequestError, OverloadedError, before more is read than the limits allow.
        """
        pending.expect(self._check_headers(scope, headers))
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.patience):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RequestError(HTTPStatus.BAD_REQUEST, "the request is incomplete.")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    self._check_size(size)
                    pending.read(len(parts[-1]))
                    if not message.get("more_body"):
                        pending.begin()
                        return b"".join(parts)
        except TimeoutError:
            raise RequestError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the request did not arrive within {self.limits.patience:g} seconds.",
            ) from None

    def _check_headers(self, scope: Scope, headers: dict[str, str]) -> int:
        """Return the length of the body; 0 if it is not known before. Raises: RequestError."""
        if headers.get("content-encoding", "identity") != "identity":
            raise RequestError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed requests are not read. Send JSON."
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        allowed = ("application/json", *([FORM] if scope["path"] == "/translate" else []))
        if kind not in allowed:
            raise RequestError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"the content type is {kind!r:.60}. Send {' or '.join(allowed)}.",
            )
        if {"content-length", "transfer-encoding"} <= headers.keys():  # read differently by proxies
            raise RequestError(HTTPStatus.BAD_REQUEST, "the request has two lengths. Send one.")
        length = headers.get("content-length", "0")
        if len(length) < 20 and length.isascii() and length.isdigit():
            self._check_size(int(length))
            return int(length)
        raise RequestError(HTTPStatus.BAD_REQUEST, "Content-Length is not a number of bytes.")

    def _check_size(self, size: int) -> None:
        if size > self.limits.body_bytes:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request has more than {self.limits.body_bytes:,} bytes. Send less at once.",
            )

    async def _respond(self, scope: Scope, body: bytes, receive: Receive, reply: "_Reply") -> None:
        """Run the application, and cancel it if the client goes away."""
        parts = [body]
        left = asyncio.ensure_future(_wait_for_disconnect(receive))

        async def replay() -> Message:
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": False}
            await asyncio.shield(left)
            return {"type": "http.disconnect"}

        task = asyncio.ensure_future(self.app(scope, replay, reply.send))
        try:
            await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
            if not (task.done() or reply.is_complete):
                task.cancel()
            await asyncio.wait({task})
            error = None if task.cancelled() else task.exception()
            # Starlette raises an error again that the application has answered and logged.
            if error is not None and not reply.is_complete:
                raise error
        finally:
            left.cancel()
            task.cancel()


class _Reply:
    """The response, with the headers that all have."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        requested = headers.get("x-request-id", "")
        self.id = requested if REQUEST_ID.fullmatch(requested) else uuid.uuid4().hex
        self.status = 0
        self.is_complete = False

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = {**HEADERS, "X-Request-ID": self.id}
            known = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *(
                    (name.encode(), value.encode())
                    for name, value in extra.items()
                    if name.lower().encode() not in known
                ),
            ]
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.is_complete = True


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
