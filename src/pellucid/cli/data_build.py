"""`pellucid data build`: what a training would read, made beforehand."""

from dataclasses import dataclass
from shlex import quote
from typing import Any

from pellucid.cli.parse import config_flags, positional
from pellucid.cli.task_sections import task_sections
from pellucid.cli.train import settings_of
from pellucid.config.run import CHOSEN, RunConfig
from pellucid.files import quote


@dataclass(frozen=True)
class Options:
    """Learn the tokenizer and cut all text into ids, without training; `train` goes on from there.

    pellucid data build --data.train my.en my.de
    """

    source: str = positional("")
    """A config file (.yaml), or the directory of a run."""
    settings: dict[str, Any] = config_flags(RunConfig, CHOSEN, task_sections)


def run(options: Options) -> int:
    """Build and say where."""
    settings, where = settings_of(options.source, options.settings)
    from pellucid.training.pipeline import build_data
    from pellucid.training.reporter import reporter

    made = build_data(settings, where=where, reporter=reporter())
<<<<<<< HEAD
    print(f"Tokenizer and ids are in {made.path}. Next: pellucid train {quote(str(made.path))}")
=======
    print(f"Tokenizer and ids are in {made.path}. Next: pellucid train {quote(made.path)}")
>>>>>>> b13a0e7 (fill: spaces as the mask's flags say, only ids with a piece; stop strings in any order; score names file and line of a pair that is too long; paths in proposed commands are quoted)
    return 0
