"""`pellucid generate`: the continuation of each line by a model."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pellucid.cli.line_verb import GenerationOptions, process_lines
from pellucid.cli.models import load_model
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.process_input import ChunkOutput
from pellucid.cli.render import one_line
from pellucid.cli.stream import Chunk
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.inference.generate import Generated

CHUNK_LINES = 256


@dataclass(frozen=True)
class Options(GenerationOptions):
    """Generate text: a decoder-only model continues each line of standard input.

    echo "Once upon a time" | pellucid generate MODEL --method sample --top-p 0.9
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    search: dict[str, Any] = config_flags(DecodingConfig)
    stop_at: tuple[str, ...] = ()
    """Strings that end a text."""
    prefix: str = ""
    """Text that every result starts with."""
    code: str = ""
    """Control code to put before each prompt, of a model that was trained with such codes."""
    banned: tuple[str, ...] = ()
    """Strings that are never generated, as the tokenizer splits them."""
    stream: bool = False
    """Write each piece as soon as it is generated; greedy search or --method sample only."""
    draft: str = ""
    """A smaller model with the same tokenizer; it proposes tokens, which the model verifies."""
    ensemble: tuple[str, ...] = ()
    """More models with the same tokenizer; the mean of their probabilities decides."""
    jsonl: bool = False
    """One JSON object per line, with tokens, score and whether the text is finished."""


def run(options: Options) -> int:
    """Generate until standard input ends."""
    if options.stream and (options.jsonl or options.draft):
        other = "--jsonl" if options.jsonl else "--draft"
        raise UsageError(
            f"--stream and {other}: one writes pieces, the other whole texts. Use one."
        )
    names = (options.model, *options.ensemble)
    model, *others = [
        load_model(name, options.device, options.dtype, compile=options.compile) for name in names
    ]
    settings: dict[str, Any] = {
        "stop_at": options.stop_at,
        "prefix": options.prefix,
        "code": options.code,
        "banned": options.banned,
        "ensemble": others,
        **options.search,
    }
    if options.draft:
        settings["draft"] = load_model(
            options.draft, options.device, options.dtype, compile=options.compile
        )
    # Impossible settings are an error before any text is read.
    _ = model.stream("", **settings) if options.stream else model.generate([], **settings)
    if options.stream:
        return process_lines(lambda chunk: _stream(model, chunk, settings), 1, options)
    return write_texts(
        lambda chunk: model.generate(chunk.lines, first=chunk.first, **settings),
        options.jsonl,
        1 if options.draft else CHUNK_LINES,
        options,
    )


def write_texts(
    generate: Callable[[Chunk], list[Any]], jsonl: bool, max_lines: int, options: GenerationOptions
) -> int:
    """Write the texts that a verb generates for each line of standard input; return the status.

    generate: returns for each line of a chunk one `Generated`, or a list of them.
    """
    return process_lines(lambda chunk: _render(generate(chunk), jsonl), max_lines, options)


def _render(results: list[Any], jsonl: bool) -> ChunkOutput:
    ranked = [result if isinstance(result, list) else [result] for result in results]
    lines = [
        one_line(json.dumps(_record(text), ensure_ascii=False) if jsonl else text.text)
        for texts in ranked
        for text in texts
    ]
    n_cut = sum(best.source_cut > 0 for best, *_ in ranked)
    return ChunkOutput("".join(f"{line}\n" for line in lines), n_cut)


def _stream(model: "Loaded", chunk: Chunk, settings: dict[str, Any]) -> ChunkOutput:
    """Write the pieces of a chunk's one line as they come."""
    for number, line in enumerate(chunk.lines, chunk.first):
        for piece in model.stream(line, first=number, **settings):
            sys.stdout.write(one_line(piece))
            sys.stdout.flush()
    return ChunkOutput("\n" * len(chunk.lines))


def _record(text: "Generated") -> dict[str, Any]:
    return {name: value for name, value in asdict(text).items() if value is not None}
