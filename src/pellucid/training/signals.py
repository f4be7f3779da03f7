"""Asked to stop, or to save: remembered until the update at hand is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Requests:
    """What signals have asked for since they were last looked at."""

    def __init__(self) -> None:
        self.stop: int | None = None  # the signal's number
        self.save = False

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop is not None:  # asked twice: the user will not wait for the update
            raise KeyboardInterrupt
        self.stop = number

    def _on_save(self, number: int, frame: FrameType | None) -> None:
        self.save = True


@contextmanager
def requests() -> Iterator[Requests]:
    """SIGINT and SIGTERM ask to stop, SIGUSR1 to save; a second one stops at once.

    Outside the main thread, where Python hears no signals, nothing is ever asked.
    """
    asked = Requests()
    handlers = {signal.SIGINT: asked._on_stop, signal.SIGTERM: asked._on_stop}
    if hasattr(signal, "SIGUSR1"):
        handlers[signal.SIGUSR1] = asked._on_save
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
