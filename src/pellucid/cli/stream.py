"""Read lines of standard input in chunks: many lines of a file, single lines of a terminal."""

import os
import select
import sys
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from pellucid.config.data import DataConfig
from pellucid.data.lines import CHUNK, read_line
from pellucid.errors import DataError

CHUNK_BYTES = 1 << 20  # of the lines of a chunk, about: memory stays small if all lines are long
PAUSE = 0.02  # seconds without input after which the lines read so far are a chunk
GZIP = b"\x1f\x8b"
NAME = "standard input"


class Chunk(NamedTuple):
    """Consecutive lines; `first` is the number of the first, counted from 0."""

    first: int
    lines: list[str]


def read_chunks(max_lines: int, max_bytes: int) -> Iterator[Chunk]:
    """Yield chunks of at most `max_lines` lines of standard input, as soon as they can be read.

    A chunk of long lines has fewer, of about `CHUNK_BYTES` in all.
    Raises: ConfigError at an impossible limit; DataError naming line and byte at the first fault,
    after all lines before it.
    """
    return (chunk for chunk in poll_chunks(max_lines, max_bytes, wait=True) if chunk is not None)


def poll_chunks(max_lines: int, max_bytes: int, *, wait: bool = False) -> Iterator[Chunk | None]:
    """Yield chunks like `read_chunks`, but None instead of waiting for input, unless `wait`."""
    max_bytes = DataConfig(max_line_bytes=max_bytes).max_line_bytes  # the same bounds everywhere
    if sys.stdin is None:
        raise DataError("standard input is closed. Pipe text in: pellucid translate MODEL < FILE.")
    fd, count = sys.stdin.fileno(), 0
    lines = _Lines(max_bytes)
    while not (lines.ended and not lines.raw):
        more = not (lines.ended or len(lines.raw) >= max_lines or lines.n_bytes >= CHUNK_BYTES)
        if more and ((wait and not lines.raw) or _has_input(fd)):
            lines.read(os.read(fd, CHUNK))
        elif lines.raw:
            chunk = lines.chunk(count, max_lines)
            count += len(chunk.lines)
            yield chunk
            if lines.fault:
                raise DataError(lines.fault)
        else:
            yield None


class _Lines:
    """Splits bytes into complete lines."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.raw: deque[bytes] = deque()
        self.n_bytes = 0  # of `raw`
        self.parts: list[bytes] = []  # of the line that has not ended yet
        self.size = 0
        self.ended = False
        self.fault = ""

    def read(self, data: bytes) -> None:
        """Add bytes; none at the end of the input."""
        if not data:
            self.ended = True
        first, *rest = data.split(b"\n") if data else (b"",)
        self.parts.append(first)
        self.size += len(first)
        for piece in rest:
            self._end_line(b"\n")
            self.parts, self.size = [piece], len(piece)
        if (self.ended and self.size) or self.size > self.max_bytes + 4:  # BOM and line end
            self._end_line()
            self.parts, self.size = [], 0

    def _end_line(self, end: bytes = b"") -> None:
        self.raw.append(b"".join(self.parts) + end)
        self.n_bytes += len(self.raw[-1])

    def chunk(self, first: int, max_lines: int) -> Chunk:
        """Return the next lines, up to the first invalid one."""
        lines: list[str] = []
        while self.raw and len(lines) < max_lines and not self.fault:
            raw = self.raw.popleft()
            self.n_bytes -= len(raw)
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
    if os.name == "nt":  # select() only works on sockets there: each read gives a chunk at once
        return False
    return bool(select.select([fd], [], [], PAUSE)[0])
