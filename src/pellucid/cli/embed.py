"""`pellucid embed`: a vector for each line."""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.render import describe_cut
from pellucid.config.data import DataConfig

if TYPE_CHECKING:
    from pellucid.cli.stream import Chunk

CHUNK_LINES = 2000


@dataclass(frozen=True)
class Options:
    """Embed each line of standard input: one JSON list per line, in order.

    pellucid embed MODEL < in.txt > vectors.jsonl
    """

    model: str = positional()
    """A model's directory, of pellucid or downloaded, or hf://owner/name."""
    pooling: Literal["mean", "first", "max", "auto"] = "auto"
    """How the tokens' states become one vector; auto: as the directory says, otherwise the mean."""
    normalize: Literal["yes", "no", "auto"] = "auto"
    """Vectors of length 1; auto: as the directory says, otherwise no."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype. int8 is CPU-only."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error: it is more likely a broken file than a sentence."""


def run(options: Options) -> int:
    """Embed until standard input ends."""
    from pellucid.cli.process_input import ChunkOutput, process_input

    model = load_model(options.model, options.device, options.dtype, decodes=False)
    settings: dict[str, object] = {}
    if options.pooling != "auto":
        settings["pooling"] = options.pooling
    if options.normalize != "auto":
        settings["normalize"] = options.normalize == "yes"

    def embed(chunk: "Chunk") -> ChunkOutput:
        cut: list[int] = []
        vectors = model.embed(chunk.lines, on_cut=cut.append, **settings).tolist()
        return ChunkOutput("".join(json.dumps(vector) + "\n" for vector in vectors), sum(cut))

    n_cut = process_input(embed, CHUNK_LINES, options.max_line_bytes)
    if n_cut:
        print(describe_cut(n_cut), file=sys.stderr)
    return 0
