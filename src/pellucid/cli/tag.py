"""`pellucid tag`: a tag for each word of each line."""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pellucid.cli.models import opened
from pellucid.cli.parse import positional
from pellucid.config.data import DataConfig
from pellucid.errors import DataError, UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.cli.stream import Chunk

CHUNK_LINES = 2000


@dataclass(frozen=True)
class Options:
    """Tag each line of standard input: words separated by spaces in, as many tags out.

    echo "Ada Lovelace lived in London ." | pellucid tag MODEL
    """

    model: str = positional()
    """A directory of a model with a head for tags, ours or a downloaded one."""
    jsonl: bool = False
    """One JSON object per line, with words, tags and the probability of each tag."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype; int8 is CPU-only."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error: it is more likely a broken file than a sentence."""


def run(options: Options) -> int:
    """Tag until standard input ends."""
    from pellucid.cli.stream import chunks

    model = opened(options.model, options.device, options.dtype, decodes=False)
    model.tag([])  # a model without a head for tags is refused before any text is read
    for chunk in chunks(CHUNK_LINES, options.max_line_bytes):
        if chunk is not None:
            _write(model, chunk, options.jsonl)
    return 0


def _write(model: "Loaded", chunk: "Chunk", jsonl: bool) -> None:
    """Write the tags of a chunk's lines, up to one that cannot be read."""
    from pellucid.text.words import split_words

    sentences = [split_words(line) for line in chunk.lines]
    try:
        tagged = model.tag(sentences)
    except (DataError, UsageError) as error:
        if len(sentences) == 1:
            raise DataError(f"standard input:{chunk.first + 1}: {error}") from error
        for number, line in enumerate(chunk.lines, chunk.first):
            _write(model, chunk._replace(first=number, lines=[line]), jsonl)
        return
    for words, (tags, probabilities) in zip(sentences, tagged, strict=True):
        line = " ".join(tags)
        if jsonl:
            rounded = [round(p, 6) for p in probabilities]
            record = {"words": words, "tags": tags, "probabilities": rounded}
            line = json.dumps(record, ensure_ascii=False)
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
