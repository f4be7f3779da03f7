"""Process the lines of standard input chunk by chunk.

If a line fails, the output of all lines before it is written before the error is raised.
"""

import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pellucid.cli.faults import convert_errors
from pellucid.cli.stream import NAME, Chunk, read_chunks
from pellucid.errors import DataError, PellucidError, ResourceError, UsageError


class ChunkOutput(NamedTuple):
    """The output of a chunk of lines."""

    text: str
    """Lines of output, each with its line break."""
    n_long: int = 0
    """Number of input lines that were too long and therefore split or cut."""
    error: PellucidError | None = None
    """The error at the first line without output; None if all lines have output."""


ProcessChunk = Callable[[Chunk], ChunkOutput]


def process_input(process: ProcessChunk, max_lines: int, max_bytes: int) -> int:
    """Write the output of each chunk of standard input; return the number of long lines.

    Raises: as `read_chunks`; the error of `process` at a line, after the output of all before it.
    """
    chunks = read_chunks(max_lines, max_bytes)
    return write_outputs(process_chunk(process, chunk) for chunk in chunks)


def process_chunk(process: ProcessChunk, chunk: Chunk) -> ChunkOutput:
    """Return the output of a chunk, or of the lines before the first one that fails.

    The failing line is found by bisection. Raises: ResourceError, which no single line causes.
    """
    try:
        with convert_errors():
            return process(chunk)
    except ResourceError:
        raise
    except PellucidError as error:
        if len(chunk.lines) < 2:
            return ChunkOutput("", error=_add_line_number(error, chunk))
    middle = len(chunk.lines) // 2
    first = process_chunk(process, Chunk(chunk.first, chunk.lines[:middle]))
    if first.error:
        return first
    second = process_chunk(process, Chunk(chunk.first + middle, chunk.lines[middle:]))
    return ChunkOutput(first.text + second.text, first.n_long + second.n_long, second.error)


def write_outputs(outputs: Iterable[ChunkOutput]) -> int:
    """Write each output at once; return the number of long lines. Raises: the first error."""
    n_long = 0
    for output in outputs:
        sys.stdout.write(output.text)
        sys.stdout.flush()
        n_long += output.n_long
        if output.error:
            raise output.error
    return n_long


def _add_line_number(error: PellucidError, chunk: Chunk) -> PellucidError:
    """Return the error of a one-line chunk with its line number; UsageError becomes DataError."""
    if not chunk.lines:
        return error
    kind = DataError if isinstance(error, (DataError, UsageError)) else type(error)
    return kind(f"{NAME}:{chunk.first + 1}: {error}")
