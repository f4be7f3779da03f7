"""Run the steps of a shared decoder in a thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from pellucid.decoding.shared import SharedDecoder


@contextmanager
def stepping(build: Callable[[Callable[[], None]], SharedDecoder]) -> Iterator[SharedDecoder]:
    """Yield a decoder while its steps are run. build: given what wakes the thread."""
    wake, is_closed = Event(), Event()
    decoder = build(wake.set)

    def run() -> None:
        while not is_closed.is_set():
            wake.wait()
            wake.clear()
            while decoder.has_work:
                decoder.step()

    thread = Thread(target=run)
    thread.start()
    try:
        yield decoder
    finally:
        is_closed.set()
        wake.set()
        thread.join()
