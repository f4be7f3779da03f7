"""What the verbs that work line by line share: options, and the loop over standard input."""

import sys
from dataclasses import dataclass
from typing import Literal

from pellucid.cli.process_input import ProcessChunk, process_input
from pellucid.cli.render import describe_cut
from pellucid.config.data import DataConfig


@dataclass(frozen=True, kw_only=True)
class LineOptions:
    """Options of every verb that opens a model and reads lines of standard input."""

    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype. int8 is CPU-only."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error: it is more likely a broken file than a text."""


@dataclass(frozen=True, kw_only=True)
class GenerationOptions(LineOptions):
    """Options of every verb that writes a text for each line."""

    compile: bool = False
    """Compile a decoding step for this CPU, which takes about a minute once; see
    docs/decoding.md."""


def process_lines(process: ProcessChunk, max_lines: int, options: LineOptions) -> int:
    """Write the output of each chunk of at most `max_lines` lines; return the exit status.

    How many lines were cut is a note on standard error. Raises: as `process_input`.
    """
    n_cut = process_input(process, max_lines, options.max_line_bytes)
    if n_cut:
        print(describe_cut(n_cut), file=sys.stderr)
    return 0
