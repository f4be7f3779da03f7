"""`pellucid embed`: a vector for each line."""

import json
from dataclasses import dataclass
from typing import Literal

from pellucid.cli.line_verb import LineOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.stream import Chunk

CHUNK_LINES = 2000


@dataclass(frozen=True)
class Options(LineOptions):
    """Embed each line of standard input: one JSON list per line, in order.

    pellucid embed MODEL < in.txt > vectors.jsonl
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    pooling: Literal["mean", "first", "max", "auto"] = "auto"
    """How the tokens' states become one vector; auto: as the directory says, otherwise the mean."""
    normalize: Literal["yes", "no", "auto"] = "auto"
    """Vectors of length 1; auto: as the directory says, otherwise no."""


def run(options: Options) -> int:
    """Embed until standard input ends."""
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    settings: dict[str, object] = {}
    if options.pooling != "auto":
        settings["pooling"] = options.pooling
    if options.normalize != "auto":
        settings["normalize"] = options.normalize == "yes"

    def embed(chunk: Chunk) -> ChunkOutput:
        cut: list[int] = []
        vectors = model.embed(chunk.lines, on_cut=cut.append, **settings).tolist()
        return ChunkOutput("".join(json.dumps(vector) + "\n" for vector in vectors), sum(cut))

    return process_lines(embed, CHUNK_LINES, options)
