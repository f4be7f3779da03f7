"""`pellucid summarize`: a summary of each line."""

from dataclasses import dataclass
from typing import Any

from pellucid.cli.generate import CHUNK_LINES, write_texts
from pellucid.cli.line_verb import GenerationOptions
from pellucid.cli.models import load_model
from pellucid.cli.parse import config_flags, positional
from pellucid.config.decoding import DecodingConfig


@dataclass(frozen=True)
class Options(GenerationOptions):
    """Summarize each line of standard input.

    pellucid summarize MODEL < documents.txt > summaries.txt
    """

    model: str = positional()
    """A directory of an encoder-decoder, ours or downloaded, or hf://owner/name."""
    search: dict[str, Any] = config_flags(DecodingConfig)
    source_prefix: str = ""
    """Text before each document, such as T5's `summarize: `; empty means that of the model."""
    banned: tuple[str, ...] = ()
    """Strings that are never generated, as the tokenizer splits them."""
    jsonl: bool = False
    """One JSON object per line, with tokens, score and how many source tokens were not read."""


def run(options: Options) -> int:
    """Summarize until standard input ends."""
    model = load_model(options.model, options.device, options.dtype, compile=options.compile)
    settings: dict[str, Any] = {
        "source_prefix": options.source_prefix or None,
        "banned": options.banned,
        **options.search,
    }
    model.summarize([], **settings)  # impossible settings are an error before any text is read
    return write_texts(
        lambda chunk: model.summarize(chunk.lines, first=chunk.first, **settings),
        options.jsonl,
        CHUNK_LINES,
        options,
    )
