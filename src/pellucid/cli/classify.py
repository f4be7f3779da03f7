"""`pellucid classify`: a label for each line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.cli.line_verb import LineOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.render import one_line
from pellucid.cli.stream import Chunk
from pellucid.cli.text_pairs import split_line
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.inference.classify import Classified

CHUNK_LINES = 2000


@dataclass(frozen=True)
class Options(LineOptions):
    """Classify each line of standard input: a text, or two with a tab between them.

    echo "A film to remember." | pellucid classify MODEL
    """

    model: str = positional()
    """A directory of a model that classifies texts, ours or a downloaded one."""
    top: int = 0
    """Print this many labels with their probabilities, most probable first."""
    jsonl: bool = False
    """One JSON object per line, with the labels and the probability of every label."""


def run(options: Options) -> int:
    """Classify until standard input ends."""
    if options.top < 0:
        raise UsageError(f"--top {options.top}: give 1 or more labels, or leave it out.")
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    model.classify([])  # a model that does not classify is refused before any text is read
    return process_lines(lambda chunk: _classify(model, chunk, options), CHUNK_LINES, options)


def _classify(model: "Loaded", chunk: Chunk, options: Options) -> ChunkOutput:
    """Return the labels of a chunk's lines, as lines of output. Blank lines have none."""
    cut: list[int] = []
    texts = [split_line(line) for line in chunk.lines if line.strip()]
    results = iter(model.classify(texts, on_cut=cut.append))
    lines = [
        _render(line, next(results) if line.strip() else None, options) for line in chunk.lines
    ]
    return ChunkOutput("".join(line + "\n" for line in lines), sum(cut))


def _render(line: str, result: "Classified | None", options: Options) -> str:
    if options.jsonl:
        return json.dumps(_record(line, result), ensure_ascii=False)
    if result is None:
        return ""
    if options.top:
        return "\t".join(_pair([label], p) for label, p in result.ranked[: options.top])
    return _pair(result.labels, result.probability)


def _pair(labels: Sequence[str], probability: float) -> str:
    joined = one_line(",".join(labels)).replace("\t", " ")
    return f"{joined}\t{probability:.4f}"


def _record(line: str, result: "Classified | None") -> dict[str, Any]:
    if result is None:
        return {"text": line, "labels": [], "probability": None, "probabilities": {}}
    return {
        "text": line,
        "labels": list(result.labels),
        "probability": round(result.probability, 6),
        "probabilities": {label: round(p, 6) for label, p in result.ranked},
    }
