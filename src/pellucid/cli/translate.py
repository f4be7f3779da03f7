"""`pellucid translate`: one line out for each line in, in order, as soon as it is done."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pellucid.cli.models import opened
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.render import Format, render
from pellucid.config.data import DataConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.cli.stream import Chunk

CHUNK_LINES = 2000
MOST_WORKERS = 64
WORKER_LINES = 256  # small enough that no worker is long without a chunk at the end


@dataclass(frozen=True)
class Options:
    """Translate standard input to standard output, one line for each line.

    pellucid translate MODEL < in.txt > out.txt
    """

    model: str = positional()
    """A model's directory, a finished run, or the name of a model that comes with pellucid."""
    search: dict[str, Any] = config_flags(DecodingConfig)
    prefix: str = ""
    """What every translation begins with."""
    banned: tuple[str, ...] = ()
    """Strings that are not written, as the tokenizer cuts them."""
    ensemble: tuple[str, ...] = ()
    """More models, of the same tokenizer: all translate together, by their mean probability."""
    alignment: bool = False
    """Add which source token each target token came from: `text ||| 0-0 1-2`."""
    jsonl: bool = False
    """One JSON object a line, with tokens, scores and whether the text was cut or split."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Numbers to compute with; int8 is for CPUs."""
    workers: int = 1
    """Processes that translate, each on one thread: one a core is fastest. CPU only."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error: it is more likely a broken file than a sentence."""


class Part(NamedTuple):
    """What a chunk of lines became."""

    text: str
    split: int
    """How many of its lines were longer than training saw."""


def run(options: Options) -> int:
    """Translate until standard input ends."""
    from pellucid.cli.stream import chunks

    n = _checked(options)
    work = worker(options)
    if n > 1:
        from pellucid.cli.workers import in_order

        lines = chunks(WORKER_LINES, options.max_line_bytes, patient=False)
        split = _written(in_order(n, work, lines))
    else:
        lines = chunks(CHUNK_LINES, options.max_line_bytes)
        split = _written(work(chunk) for chunk in lines if chunk is not None)
    if split:
        print(_about_split(split), file=sys.stderr)
    return 0


def worker(options: Options) -> Callable[["Chunk"], Part]:
    """Load the model, and give what turns lines into lines."""
    device = "cpu" if options.workers > 1 else options.device  # a GPU cannot be forked
    names = (options.model, *options.ensemble)
    model, *others = [opened(name, device, options.dtype) for name in names]
    settings: dict[str, Any] = {
        "ensemble": others,
        "prefix": options.prefix,
        "banned": options.banned,
        **options.search,
    }
    model.translate([], **settings)  # what cannot be is known before any text is read
    if options.alignment and not any(m.model.source_weights for m in (model, *others)):
        raise UsageError(
            "--alignment reads the attention to the source, but this model has none. Leave it out."
        )
    form = Format("n_best" in settings, options.alignment, options.jsonl)
    return lambda chunk: translated(model, chunk, settings, form)


def translated(model: "Loaded", chunk: "Chunk", settings: dict[str, Any], form: Format) -> Part:
    """The lines of a chunk, translated and written out."""
    found = model.translate(chunk.lines, alignment=form.alignment, first=chunk.first, **settings)
    ranked = [t if isinstance(t, list) else [t] for t in found]
    split = sum(hypotheses[0].parts > 1 for hypotheses in ranked)
    return Part(render(model, chunk.first, ranked, form), split)


def _written(parts: Iterable[Part]) -> int:
    """Write each part at once; how many lines were split."""
    split = 0
    for part in parts:
        sys.stdout.write(part.text)
        sys.stdout.flush()
        split += part.split
    return split


def _checked(options: Options) -> int:
    """The number of workers."""
    if not 1 <= options.workers <= MOST_WORKERS:
        raise UsageError(
            f"--workers {options.workers}: at least one must translate, and {MOST_WORKERS} at most."
        )
    if options.workers > 1 and not hasattr(os, "fork"):
        raise UsageError(
            "--workers: this system has no fork(), by which workers share a model. Leave it out."
        )
    if options.workers > 1 and options.device not in ("auto", "cpu"):
        raise UsageError("--workers is for the CPU: leave it out, or set --device cpu.")
    return options.workers


def _about_split(n: int) -> str:
    lines = "1 line was" if n == 1 else f"{n:,} lines were"
    return f"{lines} longer than training saw; split and rejoined"
