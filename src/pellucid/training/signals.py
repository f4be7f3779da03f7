"""Handle signals that request a stop or a checkpoint after the current update."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class SignalRequests:
    """Requests received by signal. The trainer reads them after each update."""

    def __init__(self) -> None:
        self.stop = 0  # the signal's number, or 0
        self.save = False

    def take(self) -> tuple[int, bool]:
        """Return `stop` and `save`, and reset `save`."""
        save = self.save
        if save:  # otherwise a request could arrive here and be erased
            self.save = False
        return self.stop, save

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop:  # the second signal: do not wait for the update
            raise KeyboardInterrupt
        self.stop = number

    def _on_save(self, number: int, frame: FrameType | None) -> None:
        self.save = True


@contextmanager
def handle_signals() -> Iterator[SignalRequests]:
    """Handle signals within the context and return the requests.

    SIGINT, SIGTERM and SIGHUP request a stop, and stop at once if sent twice; SIGUSR1 requests a
    checkpoint. Ignored signals stay ignored (`nohup` ignores SIGHUP). Outside the main thread no
    signal is handled, as Python delivers none there.
    """
    received = SignalRequests()
    handlers = {
        "SIGINT": received._on_stop,
        "SIGTERM": received._on_stop,
        "SIGHUP": received._on_stop,
        "SIGUSR1": received._on_save,
    }
    # Windows has neither SIGHUP nor SIGUSR1.
    numbers = {name: getattr(signal, name) for name in handlers if hasattr(signal, name)}
    active = {
        number: handlers[name]
        for name, number in numbers.items()
        if signal.getsignal(number) != signal.SIG_IGN
    }
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, handler) for number, handler in active.items()}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
