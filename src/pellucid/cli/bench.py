"""`pellucid bench`: the speed of a translator on this machine."""

import sys
import time
from dataclasses import dataclass
from typing import Any, Literal

from pellucid.cli.evaluate_translations import with_single_best
from pellucid.cli.models import load_model
from pellucid.cli.parse import config_flags, positional
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Translate some lines and print sentences and tokens per second, and peak memory."""

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    data: str = ""
    """A text file of sources; without one, sentences of the built-in corpus (en, de, zh)."""
    lines: int = 200
    """Number of lines to translate."""
    repeat: int = 3
    """Number of runs; the median is printed."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype. int8 is CPU-only."""
    compile: bool = False
    """Compile a decoding step for this CPU, which takes about a minute once."""
    search: dict[str, Any] = config_flags(DecodingConfig)


def run(options: Options) -> int:
    """Load, warm up, measure, print."""
    if min(options.lines, options.repeat) < 1:
        raise UsageError("--lines and --repeat must be at least 1.")
    settings = with_single_best(options.search)
    began = time.perf_counter()
    model = load_model(options.model, options.device, options.dtype, compile=options.compile)
    loaded = time.perf_counter() - began
    texts = _texts(options, model.bundle.languages[0])
    model.translate(texts[:2], alignment=False, **settings)
    times, tokens = [], 0
    for _ in range(options.repeat):
        start = time.perf_counter()
        results = model.translate(texts, alignment=False, **settings)
        times.append(time.perf_counter() - start)
        tokens = sum(len(result.tokens) for result in results)
    seconds = sorted(times)[len(times) // 2]
    print(f"loading {loaded:.2f} s (torch included)")
    print(
        f"{len(texts)} sentences in {seconds:.2f} s (median of {options.repeat},"
        f" {min(times):.2f} to {max(times):.2f}): {len(texts) / seconds:.1f} sentences/s,"
        f" {tokens / seconds:.0f} tokens/s"
    )
    if peak := _peak():
        print(f"peak memory {peak / 2**20:.0f} MiB")
    return 0


def _texts(options: Options, language: str) -> list[str]:
    if options.data:
        from itertools import islice

        from pellucid.cli.pairs import MAX_LINE_BYTES
        from pellucid.data.lines import read_lines

        lines = list(islice(read_lines(options.data, MAX_LINE_BYTES), options.lines))
        if not any(text.strip() for text in lines):
            raise UsageError(f"{options.data}: no text in it. Give a file of sources.")
        return lines
    from pellucid import garden

    if language not in ("en", "de", "zh"):
        raise UsageError(f"the built-in corpus has no {language or 'such'} text. Give --data FILE.")
    other = "de" if language == "en" else "en"
    pairs = list(garden.pairs(min(options.lines, 1000), language, other, split="test"))
    return [pairs[i % len(pairs)][0] for i in range(options.lines)]


def _peak() -> int:
    """Return the peak memory of this process in bytes; 0 if not reported (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
