"""Lines of standard input to lines of output: a line at fault costs no other line."""

import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pellucid.cli.faults import explained
from pellucid.cli.stream import NAME, Chunk, chunks
from pellucid.errors import DataError, PellucidError, ResourceError, UsageError


class Part(NamedTuple):
    """What a chunk of lines became."""

    text: str
    """Lines of output, each with its line break."""
    n_noted: int = 0
    """Lines that the verb reports at its end, because they were split or cut."""
    fault: PellucidError | None = None
    """Why the lines of the chunk after these have no output."""


Work = Callable[[Chunk], Part]


def convert_input(work: Work, max_lines: int, max_bytes: int) -> int:
    """Write what `work` makes of standard input, chunk by chunk; return how many lines it noted.

    Raises: as `chunks`; what `work` raised at a line, after the output of all lines before it.
    """
    return write_parts(convert(work, chunk) for chunk in chunks(max_lines, max_bytes))


def convert(work: Work, chunk: Chunk) -> Part:
    """What `work` makes of a chunk; if it fails, of the lines before the one at fault."""
    try:
        with explained():
            return work(chunk)
    except ResourceError:  # no line is at fault
        raise
    except PellucidError as error:
        if len(chunk.lines) < 2:
            return Part("", fault=_with_line(error, chunk))
    middle = len(chunk.lines) // 2
    before = convert(work, Chunk(chunk.first, chunk.lines[:middle]))
    if before.fault:
        return before
    after = convert(work, Chunk(chunk.first + middle, chunk.lines[middle:]))
    return Part(before.text + after.text, before.n_noted + after.n_noted, after.fault)


def write_parts(parts: Iterable[Part]) -> int:
    """Write each part at once; return how many lines were noted. Raises: a part's fault."""
    n_noted = 0
    for part in parts:
        sys.stdout.write(part.text)
        sys.stdout.flush()
        n_noted += part.n_noted
        if part.fault:
            raise part.fault
    return n_noted


def _with_line(error: PellucidError, chunk: Chunk) -> PellucidError:
    """The error of a chunk's one line, with the line's number; a bad line is bad data."""
    if not chunk.lines:
        return error
    kind = DataError if isinstance(error, (DataError, UsageError)) else type(error)
    return kind(f"{NAME}:{chunk.first + 1}: {error}")
