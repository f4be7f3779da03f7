"""`pellucid tag`: a tag for each word of each line."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.cli.line_verb import LineOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.render import one_word
from pellucid.cli.stream import Chunk

if TYPE_CHECKING:
    from pellucid.api import Loaded

CHUNK_LINES = 2000


@dataclass(frozen=True)
class Options(LineOptions):
    """Tag the words of each line of standard input; words and tags are separated by spaces.

    echo "Ada Lovelace lived in London ." | pellucid tag MODEL
    """

    model: str = positional()
    """A directory of a model with a head for tags, ours or a downloaded one."""
    jsonl: bool = False
    """One JSON object per line, with words, tags and the probability of each tag."""


def run(options: Options) -> int:
    """Tag until standard input ends."""
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    model.tag([])  # a model without a head for tags is refused before any text is read
    return process_lines(lambda chunk: _tag(model, chunk, options.jsonl), CHUNK_LINES, options)


def _tag(model: "Loaded", chunk: Chunk, jsonl: bool) -> ChunkOutput:
    """Return the tags of a chunk's lines, as lines of output."""
    from pellucid.text.words import split_words

    lines = []
    sentences = [split_words(line) for line in chunk.lines]
    for words, (tags, probabilities) in zip(sentences, model.tag(sentences), strict=True):
        line = " ".join(map(one_word, tags))
        if jsonl:
            rounded = [round(p, 6) for p in probabilities]
            record = {"words": words, "tags": tags, "probabilities": rounded}
            line = json.dumps(record, ensure_ascii=False)
        lines.append(line + "\n")
    return ChunkOutput("".join(lines))
