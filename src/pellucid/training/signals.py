"""Signals that ask to stop or to save, kept until the current update is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Requests:
    """What signals have requested since the trainer last looked."""

    def __init__(self) -> None:
        self.stop: int | None = None  # the signal's number
        self.save = False

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop is not None:  # the second signal: do not wait for the update
            raise KeyboardInterrupt
        self.stop = number

    def _on_save(self, number: int, frame: FrameType | None) -> None:
        self.save = True


@contextmanager
def requests() -> Iterator[Requests]:
    """SIGINT, SIGTERM and SIGHUP ask to stop, SIGUSR1 to save; a second one stops at once.

    A signal that is ignored stays ignored: `nohup` ignores SIGHUP. Outside the main thread, where
    Python receives no signals, nothing is requested.
    """
    received = Requests()
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
