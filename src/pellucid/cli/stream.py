"""Lines of a stream in chunks: large where input is plenty, a single line where one is typed."""

import os
import select
import sys
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from pellucid.config.data import DataConfig
from pellucid.data.lines import CHUNK, read_line
from pellucid.errors import DataError

PAUSE = 0.02  # seconds without input after which what is there goes on its way
GZIP = b"\x1f\x8b"
NAME = "standard input"


class Chunk(NamedTuple):
    """Some lines in a row; `first` is the number of the first, counted from 0."""

    first: int
    lines: list[str]


def chunks(most_lines: int, max_bytes: int, patient: bool = True) -> Iterator[Chunk | None]:
    """The lines of standard input, at most `most_lines` at once, each as soon as it is there.

    Not `patient`: None wherever one would have to wait, so that the caller can do other things.
    Raises: ConfigError at an impossible limit; DataError naming line and byte at the first fault,
    after all lines before it.
    """
    max_bytes = DataConfig(max_line_bytes=max_bytes).max_line_bytes  # the same bounds everywhere
    if sys.stdin is None:
        raise DataError("standard input is closed. Pipe text in: pellucid translate MODEL < FILE.")
    fd, count = sys.stdin.fileno(), 0
    found = _Lines(max_bytes)
    while not (found.ended and not found.raw):
        waits = not found.ended and len(found.raw) < most_lines
        if waits and ((patient and not found.raw) or _has_input(fd)):
            found.take(os.read(fd, CHUNK))
        elif found.raw:
            chunk = found.chunk(count, most_lines)
            count += len(chunk.lines)
            yield chunk
            if found.fault:
                raise DataError(found.fault)
        else:
            yield None


class _Lines:
    """Bytes in, whole lines out."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.raw: deque[bytes] = deque()
        self.parts: list[bytes] = []  # of the line that has not ended yet
        self.size = 0
        self.ended = False
        self.fault = ""

    def take(self, data: bytes) -> None:
        if not data:
            self.ended = True
        first, *rest = data.split(b"\n") if data else (b"",)
        self.parts.append(first)
        self.size += len(first)
        for piece in rest:
            self.raw.append(b"".join(self.parts) + b"\n")
            self.parts, self.size = [piece], len(piece)
        if (self.ended and self.size) or self.size > self.max_bytes + 4:  # a mark and an end
            self.raw.append(b"".join(self.parts))
            self.parts, self.size = [], 0

    def chunk(self, first: int, most: int) -> Chunk:
        """Lines up to a fault, if there is one among them."""
        lines: list[str] = []
        while self.raw and len(lines) < most and not self.fault:
            raw = self.raw.popleft()
            number = first + len(lines) + 1
            if number == 1 and raw.startswith(GZIP):
                self.fault = f"{NAME} is gzip data. Unpack it: gunzip -c FILE | pellucid ..."
                break
            line = read_line(NAME, number, raw, self.max_bytes)
            if line.fault:
                self.fault = str(line.fault)
            else:
                lines.append(line.text)
        return Chunk(first, lines)


def _has_input(fd: int) -> bool:
    if os.name == "nt":  # select() is for sockets there: each read is passed on at once
        return False
    return bool(select.select([fd], [], [], PAUSE)[0])
