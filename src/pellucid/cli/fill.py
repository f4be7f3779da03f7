"""`pellucid fill`: words for the gaps of each line."""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pellucid.cli.models import opened
from pellucid.cli.parse import positional
from pellucid.cli.render import one_line
from pellucid.config.data import DataConfig
from pellucid.errors import DataError, UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.cli.stream import Chunk
    from pellucid.inference.fill import Filled

CHUNK_LINES = 256
DEFAULT_TOP = 5


@dataclass(frozen=True)
class Options:
    """Fill the gaps of each line of standard input; a gap is the model's own mask token.

    echo "The [MASK] sleeps." | pellucid fill MODEL
    """

    model: str = positional()
    """A model's directory, ours or a downloaded one."""
    top: int = 0
    """Print this many words for each gap, with probabilities, in place of the filled line."""
    jsonl: bool = False
    """One JSON object a line, with the filled text and 5 words, or --top, for each gap."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Numbers to compute with; int8 is for CPUs."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error: it is more likely a broken file than a sentence."""


def run(options: Options) -> int:
    """Fill until standard input ends."""
    from pellucid.cli.stream import chunks

    if options.top < 0:
        raise UsageError(f"--top {options.top}: give 1 or more words, or leave it out.")
    model = opened(options.model, options.device, options.dtype, decodes=False)
    model.fill([])  # a model that fills no gaps is known before any text is read
    for chunk in chunks(CHUNK_LINES, options.max_line_bytes):
        if chunk is not None:
            _write(model, chunk, options)
    return 0


def _write(model: "Loaded", chunk: "Chunk", options: Options) -> None:
    """The lines of a chunk, up to one that cannot be filled."""
    real = [line for line in chunk.lines if line.strip()]
    try:
        found = iter(model.fill(real, options.top or DEFAULT_TOP))
    except UsageError as error:
        if len(chunk.lines) == 1:
            raise DataError(f"standard input:{chunk.first + 1}: {error}") from error
        for place, line in enumerate(chunk.lines, chunk.first):  # which line, and those before it
            _write(model, chunk._replace(first=place, lines=[line]), options)
        return
    for line in chunk.lines:
        gaps = next(found) if line.strip() else []
        sys.stdout.write(one_line(_line(model, line, gaps, options)) + "\n")
    sys.stdout.flush()


def _line(model: "Loaded", line: str, gaps: list[list["Filled"]], options: Options) -> str:
    text = model.filled_in(line, [best for best, *_ in gaps]) if gaps else line
    if options.jsonl:
        words = [[word._asdict() for word in words] for words in gaps]
        return json.dumps({"text": text, "gaps": words}, ensure_ascii=False)
    if not options.top:
        return text
    return " ||| ".join(
        " ".join(f"{word.token.strip()} {word.probability:.4f}" for word in words) for words in gaps
    )
