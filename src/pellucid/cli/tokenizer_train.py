"""`pellucid tokenizer train`: a tokenizer from text files, for use in several runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from pellucid.cli.parse import config_flags, positional
from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Train one tokenizer on all lines of some text files.

    pellucid tokenizer train my.en my.de --vocab-size 8000 --out my-tokenizer
    """

    files: tuple[str, ...] = positional()
    """Text files; .gz is read as is."""
    out: str = ""
    """The directory to write, for tokenizer.path of a run."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is an error."""
    settings: dict[str, Any] = config_flags(TokenizerConfig, left_out=frozenset({"path", "joint"}))


def run(options: Options) -> int:
    """Train and save."""
    if not options.files or not options.out:
        raise UsageError("give files and --out: pellucid tokenizer train FILES --out DIR")
    from pellucid.config.read import build
    from pellucid.files import publish
    from pellucid.text.train import train_tokenizer

    config = build(TokenizerConfig, options.settings, "flags")
    max_bytes = DataConfig(max_line_bytes=options.max_line_bytes).max_line_bytes
    tokenizer = train_tokenizer(_texts(options.files, max_bytes), config)
    with publish(Path(options.out)) as temp:
        tokenizer.save(temp)
    print(
        f"{tokenizer.vocab_size:,} pieces are in {options.out}."
        f" Next: pellucid train ... --tokenizer.path {quote(options.out)}"
    )
    return 0


def _texts(files: Sequence[str], max_bytes: int) -> Iterator[str]:
    from pellucid.data.lines import read_lines

    for file in files:
        yield from read_lines(file, max_bytes)
