"""Work that ends only when it is cancelled, for tests of what cancels it."""

import threading
import time

from pellucid.explain.cancellation import CancelledError, check_cancelled


class CancellableWork:
    """Checks for at most a minute whether it is cancelled."""

    def __init__(self) -> None:
        self.begun, self.cancelled = threading.Event(), threading.Event()

    def run(self) -> None:
        """Raises: CancelledError."""
        self.begun.set()
        end = time.monotonic() + 60
        try:
            while time.monotonic() < end:
                check_cancelled()
        except CancelledError:
            self.cancelled.set()
            raise
