"""How many bytes the requests in progress may have together: texts and their ids need memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pellucid.serve.errors import OverloadedError


class PendingBytes:
    """Counts the bytes of the requests in progress."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0

    @contextmanager
    def count_request(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that adds bytes of a request, until its end.

        The function raises OverloadedError if there are too many.
        """
        size = 0

        def add(n: int) -> None:
            nonlocal size
            if self.count + n > self.most:
                raise OverloadedError(
                    f"the requests in progress have {self.count:,} bytes, and may have"
                    f" {self.most:,}. Ask again in a second.",
                    retry_after=1.0,
                )
            size += n
            self.count += n

        try:
            yield add
        finally:
            self.count -= size
