"""`pellucid data build`: what a training would read, made beforehand."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from pellucid.cli.parse import given
from pellucid.cli.train import Settings, settings_of


@dataclass(frozen=True)
class Options:
    """Learn the tokenizer and cut all text into ids, without training; `train` goes on from there.

    pellucid data build --data.train my.en my.de
    """

    source: tyro.conf.Positional[str] = ""
    """A config file (.yaml), or the directory of a run."""
    settings: Annotated[Any, tyro.conf.arg(name="", constructor=Settings)] = field(
        default_factory=Settings
    )


def run(options: Options) -> int:
    """Build and say where."""
    settings, where = settings_of(options.source, given(options.settings))
    from pellucid.training.pipeline import build_data
    from pellucid.training.reporter import reporter

    made = build_data(settings, where=where, reporter=reporter())
    print(f"Tokenizer and ids are in {made.path}. Next: pellucid train {made.path}")
    return 0
