"""`pellucid translate`: one line of output per line of input, in order."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.cli.line_verb import GenerationOptions
from pellucid.cli.models import load_model
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.process_input import (
    ChunkOutput,
    ProcessChunk,
    process_chunk,
    process_input,
    write_outputs,
)
from pellucid.cli.render import Format, render
from pellucid.cli.stream import Chunk, poll_chunks
from pellucid.cli.workers import check_workers, in_order
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded

CHUNK_LINES = 2000
WORKER_LINES = 256  # few, so that all workers have a chunk until shortly before the end


@dataclass(frozen=True)
class Options(GenerationOptions):
    """Translate standard input to standard output, line by line.

    pellucid translate MODEL < in.txt > out.txt
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    search: dict[str, Any] = config_flags(DecodingConfig)
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the texts, for a model that marks them with it (mBART, M2M-100)."""
    prefix: str = ""
    """Text that every translation starts with."""
    banned: tuple[str, ...] = ()
    """Strings that are never generated, as the tokenizer splits them."""
    ensemble: tuple[str, ...] = ()
    """More models with the same tokenizer; the mean of their probabilities decides."""
    alignment: bool = False
    """Add the source tokens that each target token comes from: `text ||| 0-0 1-2`."""
    jsonl: bool = False
    """One JSON object per line, with tokens, scores and whether the text was cut or split."""
    workers: int = 1
    """Processes that translate, each on one thread; one per core is fastest. CPU only."""


def run(options: Options) -> int:
    """Translate until standard input ends."""
    check_workers(options.workers, options.device, fewest=1)
    process = translator(options)
    if options.workers > 1:
        lines = poll_chunks(WORKER_LINES, options.max_line_bytes)
        n_split = write_outputs(
            in_order(options.workers, lambda chunk: process_chunk(process, chunk), lines)
        )
    else:
        n_split = process_input(process, CHUNK_LINES, options.max_line_bytes)
    if n_split:
        lines_were = "1 line was" if n_split == 1 else f"{n_split:,} lines were"
        print(f"{lines_were} longer than training saw; split and rejoined", file=sys.stderr)
    return 0


def translator(options: Options) -> ProcessChunk:
    """Load the model; return the function that translates a chunk of lines.

    Raises: UsageError, ConfigError if the options do not fit the model.
    """
    device = "cpu" if options.workers > 1 else options.device  # a GPU cannot be forked
    names = (options.model, *options.ensemble)
    model, *others = [
        load_model(name, device, options.dtype, compile=options.compile) for name in names
    ]
    settings: dict[str, Any] = {
        "ensemble": others,
        "to": options.to,
        "source_language": options.source_language,
        "prefix": options.prefix,
        "banned": options.banned,
        **options.search,
    }
    model.translate([], **settings)  # impossible settings are an error before any text is read
    if options.alignment and not any(m.model.source_weights for m in (model, *others)):
        raise UsageError(
            "--alignment reads the attention to the source, but this model has none. Leave it out."
        )
    output = Format("n_best" in settings, options.alignment, options.jsonl)
    return lambda chunk: translate_chunk(model, chunk, settings, output)


def translate_chunk(
    model: "Loaded", chunk: Chunk, settings: dict[str, Any], output: Format
) -> ChunkOutput:
    """Return the translations of a chunk's lines, as lines of output."""
    results = model.translate(
        chunk.lines, alignment=output.alignment, first=chunk.first, **settings
    )
    ranked = [result if isinstance(result, list) else [result] for result in results]
    n_split = sum(best.parts > 1 for best, *_ in ranked)
    return ChunkOutput(render(model, chunk.first, ranked, output), n_split)
