"""`pellucid similarity`: a number for the two texts of each line."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.cli.line_verb import LineOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.stream import Chunk
from pellucid.cli.text_pairs import split_pair

if TYPE_CHECKING:
    from pellucid.api import Loaded

CHUNK_LINES = 2000


@dataclass(frozen=True)
class Options(LineOptions):
    """Say how similar the two texts of each line of standard input are; a tab separates them.

    printf 'A dog barks.\\tA dog is barking.\\n' | pellucid similarity MODEL
    """

    model: str = positional()
    """A directory of a model trained for similarity, or of any encoder; also a downloaded one."""
    jsonl: bool = False
    """One JSON object per line, with the two texts and their similarity."""


def run(options: Options) -> int:
    """Compare until standard input ends."""
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    model.similarity([])  # a model that cannot do it is refused before any text is read
    return process_lines(lambda chunk: _compare(model, chunk, options.jsonl), CHUNK_LINES, options)


def _compare(model: "Loaded", chunk: Chunk, jsonl: bool) -> ChunkOutput:
    """Return the similarities of a chunk's lines, as lines of output. Blank lines have none."""
    cut: list[int] = []
    pairs = [split_pair(line) if line.strip() else None for line in chunk.lines]
    results = iter(model.similarity([p for p in pairs if p], on_cut=cut.append))
    lines = []
    for pair in pairs:
        number = next(results) if pair else None
        if jsonl:
            texts = list(pair or ("", ""))
            rounded = None if number is None else round(number, 6)
            line = json.dumps({"texts": texts, "similarity": rounded}, ensure_ascii=False)
        else:
            line = "" if number is None else f"{number:.4f}"
        lines.append(line + "\n")
    return ChunkOutput("".join(lines), sum(cut))
