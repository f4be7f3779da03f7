"""`pellucid fill`: words for the mask tokens of each line."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.cli.line_verb import LineOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.render import SEPARATOR, as_field, one_line
from pellucid.cli.stream import Chunk
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.inference.fill import Filled

CHUNK_LINES = 256
DEFAULT_TOP = 5


@dataclass(frozen=True)
class Options(LineOptions):
    """Replace the mask tokens in each line of standard input by the likeliest words.

    echo "The [MASK] sleeps." | pellucid fill MODEL
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    top: int = 0
    """Print this many words per mask token, with probabilities, instead of the filled line."""
    jsonl: bool = False
    """One JSON object per line, with the filled text and 5 words, or --top, per mask token."""


def run(options: Options) -> int:
    """Fill until standard input ends."""
    if options.top < 0:
        raise UsageError(f"--top {options.top}: give 1 or more words, or leave it out.")
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    model.fill([])  # a model that fills no gaps is an error before any text is read
    return process_lines(lambda chunk: _fill(model, chunk, options), CHUNK_LINES, options)


def _fill(model: "Loaded", chunk: Chunk, options: Options) -> ChunkOutput:
    filled = iter(
        model.fill([line for line in chunk.lines if line.strip()], options.top or DEFAULT_TOP)
    )
    gaps = [next(filled) if line.strip() else [] for line in chunk.lines]
    lines = [_line(model, *each, options) for each in zip(chunk.lines, gaps, strict=True)]
    return ChunkOutput("".join(one_line(line) + "\n" for line in lines))


def _line(model: "Loaded", line: str, gaps: list[list["Filled"]], options: Options) -> str:
    text = model.filled_in(line, [best for best, *_ in gaps]) if gaps else line
    if options.jsonl:
        words = [[word._asdict() for word in words] for words in gaps]
        return json.dumps({"text": text, "gaps": words}, ensure_ascii=False)
    if not options.top:
        return text
    return SEPARATOR.join(" ".join(map(_with_probability, words)) for words in gaps)


def _with_probability(word: "Filled") -> str:
    return f"{as_field(word.token.strip(' '))} {word.probability:.4f}"
