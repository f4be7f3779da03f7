"""Wall-clock time of training, to report speed."""

import time


class Clock:
    """A clock that can be paused."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def lap(self, tokens: float) -> dict[str, float]:
        """Return speed and seconds since the last lap."""
        now = time.perf_counter()
        seconds, self.start = now - self.start, now
        return {"tokens_per_second": tokens / max(seconds, 1e-9), "seconds": seconds}

    def pause(self) -> "Clock":
        """Return a context in which time is not counted."""
        return self

    def __enter__(self) -> None:
        self.stopped = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self.start += time.perf_counter() - self.stopped
