"""`pellucid generate`: what a model writes after each line."""

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import tyro

from pellucid.cli.parse import given
from pellucid.cli.render import one_line
from pellucid.config.data import DataConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.config.partial import partial

Search = partial(DecodingConfig)
CHUNK_LINES = 256


@dataclass(frozen=True)
class Options:
    """Let a model write: a decoder alone continues each line of standard input.

    echo "Once upon a time" | pellucid generate MODEL --method sample --top-p 0.9
    """

    model: tyro.conf.Positional[str]
    """A model's directory, ours or a downloaded one."""
    search: Annotated[Any, tyro.conf.arg(name="", constructor=Search)] = field(
        default_factory=Search
    )
    stop_at: tuple[str, ...] = ()
    """Strings that end a text."""
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

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from pellucid.api import load
    from pellucid.nn import kernels

    kernels.keep_freed_memory()
    kernels.decode_on_one_thread()
    model = load(options.model, device=options.device, dtype=options.dtype)
    settings = given(options.search)
    model.decoding(**settings)  # impossible ones are known before any text is read
    for chunk in chunks(CHUNK_LINES, options.max_line_bytes):
        if chunk is None:
            continue
        found = model.generate(chunk.lines, stop=options.stop_at, **settings)
        for texts in found:
            for text in texts if isinstance(texts, list) else [texts]:
                line = json.dumps(asdict(text), ensure_ascii=False) if options.jsonl else text.text
                sys.stdout.write(one_line(line) + "\n")
        sys.stdout.flush()
    return 0
