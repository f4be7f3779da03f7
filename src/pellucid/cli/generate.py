"""`pellucid generate`: what a model writes after each line."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pellucid.cli.models import opened
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.render import one_line
from pellucid.config.data import DataConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.cli.stream import Chunk
    from pellucid.inference.generate import Generated

CHUNK_LINES = 256


@dataclass(frozen=True)
class Options:
    """Let a model write: a decoder alone continues each line of standard input.

    echo "Once upon a time" | pellucid generate MODEL --method sample --top-p 0.9
    """

    model: str = positional()
    """A model's directory, ours or a downloaded one."""
    search: dict[str, Any] = config_flags(DecodingConfig)
    stop_at: tuple[str, ...] = ()
    """Strings that end a text."""
    prefix: str = ""
    """What every text begins with."""
    banned: tuple[str, ...] = ()
    """Strings that are not written, as the tokenizer cuts them."""
    stream: bool = False
    """Write each piece as soon as it is there; by greedy search, or --method sample."""
    draft: str = ""
    """A smaller model of the same tokenizer that guesses ahead: the large one steps less often."""
    ensemble: tuple[str, ...] = ()
    """More models, of the same tokenizer: all write together, by their mean probability."""
    jsonl: bool = False
    """One JSON object a line, with tokens, score and whether the text came to its end."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Numbers to compute with; int8 is for CPUs."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error: it is more likely a broken file than a prompt."""


def run(options: Options) -> int:
    """Write until standard input ends."""
    from pellucid.cli.stream import chunks

    if options.stream and (options.jsonl or options.draft):
        other = "--jsonl" if options.jsonl else "--draft"
        raise UsageError(
            f"--stream and {other}: one writes pieces, the other whole texts. Use one."
        )
    names = (options.model, *options.ensemble)
    model, *others = [opened(name, options.device, options.dtype) for name in names]
    asked: dict[str, Any] = {
        "stop_at": options.stop_at,
        "prefix": options.prefix,
        "banned": options.banned,
        "ensemble": others,
        **options.search,
    }
    if options.draft:
        asked["draft"] = opened(options.draft, options.device, options.dtype)
    # What cannot be is known before any text is read.
    _ = model.stream("", **asked) if options.stream else model.generate([], **asked)
    one_by_one = options.stream or options.draft
    for chunk in chunks(1 if one_by_one else CHUNK_LINES, options.max_line_bytes):
        if chunk is not None:
            if options.stream:
                _stream(model, chunk, asked)
            else:
                _write(model, chunk, asked, options.jsonl)
            sys.stdout.flush()
    return 0


def _write(model: "Loaded", chunk: "Chunk", asked: dict[str, Any], jsonl: bool) -> None:
    for texts in model.generate(chunk.lines, first=chunk.first, **asked):
        for text in texts if isinstance(texts, list) else [texts]:
            line = json.dumps(_object(text), ensure_ascii=False) if jsonl else text.text
            sys.stdout.write(one_line(line) + "\n")


def _stream(model: "Loaded", chunk: "Chunk", asked: dict[str, Any]) -> None:
    for number, line in enumerate(chunk.lines, chunk.first):
        for piece in model.stream(line, first=number, **asked):
            sys.stdout.write(one_line(piece))
            sys.stdout.flush()
        sys.stdout.write("\n")


def _object(text: "Generated") -> dict[str, Any]:
    return {name: value for name, value in asdict(text).items() if value is not None}
