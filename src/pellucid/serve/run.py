"""From addresses and models to a running server, until a signal ends it."""

import asyncio
import errno
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from pellucid.errors import ResourceError, UsageError
from pellucid.serve.middleware import RequestMiddleware
from pellucid.serve.protocol import make_protocol
from pellucid.serve.served import Models

REFUSING_SECONDS = 0.3
"""In which new requests still get an answer, that the server ends."""
FINISH_SECONDS = 6.0
"""That work in progress may take after a signal to end."""
PATIENCE_FACTOR = 1.5
"""The middleware answers a slow client first; then the connection is closed."""
IDLE_SECONDS = 75
"""After which an idle connection is closed: more than clients and proxies keep theirs (5 to 60), or
one could be closed just when it is used again."""
GRACE_SECONDS = 8
"""After which connections are closed."""
SWITCH_SECONDS = 0.0002
"""After which a thread gives way to one that waits for the interpreter. The thread that decodes
waits after each operator; with Python's 5 ms it would wait 5 ms whenever a request is read."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address. Raises: UsageError, ResourceError if it cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host[:80]!r} is not an address of this machine.") from error
    # asyncio sends at once (TCP_NODELAY) only if the protocol is named: otherwise a response, which
    # is two parts, waits 40 ms for the client to acknowledge the first.
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()  # from here on, no other server can have the address
    except OSError as error:
        bound.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else "cannot be used"
        raise ResourceError(
            f"{host}:{port} {reason} ({error.strerror}). Choose another: --port {port % 65535 + 1}."
        ) from error
    return bound


def make_server(app: RequestMiddleware, models: Models) -> "Server":
    """Return a server; `run(sockets=[bound])` serves until a signal, or `should_exit` is set."""
    config = uvicorn.Config(
        app,
        http=make_protocol(PATIENCE_FACTOR * app.limits.patience, app.limits.connections),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        backlog=app.limits.connections,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, models)


class Server(uvicorn.Server):
    """A server that refuses work as soon as it begins to shut down."""

    def __init__(self, config: uvicorn.Config, models: Models) -> None:
        super().__init__(config)
        self.models = models
        self.is_interrupted = False
        """Whether SIGINT ended it."""
        self.broken: list[str] = []
        """Models whose processes have died, which ends the server."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        engines = [model.engine for model in self.models.by_name.values()]
        closing = [asyncio.ensure_future(engine.close(FINISH_SECONDS)) for engine in engines]
        await asyncio.sleep(REFUSING_SECONDS)
        await super().shutdown(sockets)
        await asyncio.gather(*closing)

    async def on_tick(self, counter: int) -> bool:
        models = self.models.by_name.items()
        self.broken = [name for name, model in models if model.engine.is_broken]
        return bool(self.broken) or await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """End the server at a signal; uvicorn would then raise the signal again."""
        if threading.current_thread() is not threading.main_thread():  # in a test
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._end) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        is_second = self.is_interrupted
        self.is_interrupted = self.is_interrupted or number == signal.SIGINT
        self.force_exit = is_second and number == signal.SIGINT
        self.should_exit = True
