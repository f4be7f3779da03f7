"""The live page over HTTP, for browsers on this machine only.

A page of another site can make a browser send requests here. So a request must name this server in
`Host` (a name that an attacker points to 127.0.0.1 is refused), and in `Origin` if it has one.
"""

import errno
import json
import os
import select
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from pellucid.errors import PellucidError, ResourceError
from pellucid.explain.cancellation import CancelledError, cancel_if, check_cancelled
from pellucid.explorer.json_text import dump_json

HOST = "127.0.0.1"
DEFAULT_PORT = 7864
HTTP_PORT = 80  # which browsers leave out of `Host`
MAX_REQUEST = 1 << 20
"""Bytes of the largest request."""
PATIENCE = 30
"""Seconds that a client may take to send its request."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Site:
    """What a server shows and answers."""

    page: str
    """The HTML of `/`."""
    respond: Callable[[Any], dict[str, Any]]
    """The reply to a request, both JSON values. Called by one thread at a time.
    Raises: PellucidError."""


class Server(ThreadingHTTPServer):
    """Shows a site at `address`."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would share a port in use
    site: Site

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.names = names_with_port((HOST, "localhost"), self.server_port)
        self.one_at_a_time = Lock()

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away; every other error ends in `Handler`."""


def names_with_port(names: Iterable[str], port: int) -> frozenset[str]:
    """Return what `Host` is in requests to a port of hosts with these names."""
    return frozenset(name if port == HTTP_PORT else f"{name}:{port}" for name in names)


def open_server(port: int = 0) -> Server:
    """Return a server on a port of this machine; 0 means `DEFAULT_PORT`, or a free one.

    Raises: ResourceError if the port cannot be used.
    """
    try:
        return Server(port or DEFAULT_PORT)
    except OSError as error:
        if not port and error.errno == errno.EADDRINUSE:
            return Server(0)
        reason = "is in use" if error.errno == errno.EADDRINUSE else "cannot be used"
        raise ResourceError(
            f"port {port or DEFAULT_PORT} {reason} ({error.strerror}). Choose another, such as"
            f" --port {DEFAULT_PORT + 1}, or leave --port out."
        ) from error


class Handler(BaseHTTPRequestHandler):
    """Answers GET / with the page and POST /respond with a reply."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = PATIENCE
    server_version, sys_version = "pellucid", ""

    def do_GET(self) -> None:
        """Send the page."""
        if self._is_from_here() and self._has_path("/"):
            self._send(HTTPStatus.OK, "text/html", self.server.site.page.encode())

    def do_POST(self) -> None:
        """Send the reply to a request."""
        if not (self._is_from_here() and self._has_path("/respond")):
            return
        body = self._read()
        if body is None:
            return
        try:
            record = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "the request is not JSON.")
            return
        try:
            with self.server.one_at_a_time, cancel_if(self._is_disconnected):
                check_cancelled()  # it may have waited for long
                reply = dump_json(self.server.site.respond(record))
        except CancelledError:
            self.close_connection = True
        except PellucidError as error:
            is_bug = type(error) is PellucidError
            status = HTTPStatus.INTERNAL_SERVER_ERROR if is_bug else HTTPStatus.BAD_REQUEST
            self._refuse(status, str(error))
        else:
            self._send(HTTPStatus.OK, "application/json", reply.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: an address may hold a reader's text."""

    def _is_disconnected(self) -> bool:
        """Return whether the client has closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _is_from_here(self) -> bool:
        """Return whether the request is meant for this server, and refuse it if not."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host not in self.server.names:
            self._refuse(HTTPStatus.FORBIDDEN, f"open {self.server.address} instead.")
        elif origin is not None and origin.removeprefix("http://") != host:
            self._refuse(HTTPStatus.FORBIDDEN, "a page of another site may not ask.")
        else:
            return True
        return False

    def _has_path(self, path: str) -> bool:
        """Return whether the request names a path, and refuse it if not."""
        if self.path.partition("?")[0] == path:
            return True
        self._refuse(HTTPStatus.NOT_FOUND, f"there is only {path} here.")
        return False

    def _read(self) -> bytes | None:
        """Return the body of a request; None if it is refused, which happens before it is read."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json.")
        elif not (length.isascii() and length.isdigit() and len(length) < 20):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "the request has no length.")
        elif int(length) > MAX_REQUEST:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request has more than {MAX_REQUEST:,} bytes.",
            )
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, "application/json", dump_json({"error": message}).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
