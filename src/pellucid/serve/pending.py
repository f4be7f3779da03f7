"""How many bytes the requests in progress may have together: texts and their ids need memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.serve.errors import OverloadedError

MEMORY = 30
"""Bytes of memory that a byte of a request needs, at most, while it is worked on. Before, one: so
clients that are slow to send hardly take room from others."""


class PendingBytes:
    """Counts what the requests in progress need."""

    def __init__(self, most: int) -> None:
        """most: bytes of requests that are worked on at a time."""
        self.most = most
        self.memory = 0

    @contextmanager
    def request(self) -> Iterator["PendingRequest"]:
        """Yield the count of a request, which is in progress until the block ends."""
        request = PendingRequest(self)
        try:
            yield request
        finally:
            self.memory -= request.memory

    def check(self, memory: int) -> None:
        """Raises: OverloadedError if there is no room for so much more."""
        if self.memory + memory > self.most * MEMORY:
            raise OverloadedError(
                f"with this request, those in progress would have more than {self.most:,} bytes."
                " Ask again in a second.",
                retry_after=1.0,
            )


class PendingRequest:
    """Counts what a request needs. Its methods raise OverloadedError if there is no room."""

    def __init__(self, all_requests: PendingBytes) -> None:
        self._all = all_requests
        self._size = 0
        self.memory = 0

    def expect(self, n: int) -> None:
        """Check that there is room now to work on n bytes, before they are read."""
        self._all.check(n * MEMORY)

    def read(self, n: int) -> None:
        """Count n bytes that have arrived."""
        self._size += n
        self._add(n)

    def begin(self) -> None:
        """Count what the work needs, when all bytes have arrived."""
        self._add(self._size * (MEMORY - 1))

    def _add(self, memory: int) -> None:
        self._all.check(memory)
        self.memory += memory
        self._all.memory += memory
