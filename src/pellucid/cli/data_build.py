"""`pellucid data build`: the tokenizer and encoded data of a run, without training."""

from dataclasses import dataclass
from shlex import quote
from typing import Any

from pellucid.cli.parse import config_flags, positional
from pellucid.cli.task_sections import task_sections
from pellucid.cli.train import read_settings
from pellucid.config.run import AUTOMATIC_SETTINGS, RunConfig


@dataclass(frozen=True)
class Options:
    """Train the tokenizer and encode all text, without training; `train` continues from there.

    pellucid data build --data.train my.en my.de
    """

    source: str = positional("")
    """A config file (.yaml), or the directory of a run."""
    settings: dict[str, Any] = config_flags(RunConfig, AUTOMATIC_SETTINGS, task_sections)


def run(options: Options) -> int:
    """Build, and print where."""
    settings, where = read_settings(options.source, options.settings)
    from pellucid.training.pipeline import build_data
    from pellucid.training.reporter import choose_reporter

    built = build_data(settings, where=where, reporter=choose_reporter())
    print(f"Tokenizer and ids are in {built.path}. Next: pellucid train {quote(str(built.path))}")
    return 0
