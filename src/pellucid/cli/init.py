"""`pellucid init`: a config file to begin with, each setting below what it means."""

from dataclasses import dataclass
from typing import Any

from pellucid.cli.parse import config_flags, positional
from pellucid.config.run import CHOSEN, RunConfig
from pellucid.errors import UsageError

TASKS = ("translation",)
HEAD = """\
# Settings of a run: pellucid train THIS_FILE. A setting behind `#` is what stands there, or chosen
# by size, text and machine where that is said; take the `#` away to set it yourself.

"""


@dataclass(frozen=True)
class Options:
    """Print a commented config file: pellucid init translation > my.yaml; pellucid train my.yaml"""

    task: str = positional("translation")
    """What to train for: translation."""
    settings: dict[str, Any] = config_flags(RunConfig, CHOSEN)


def run(options: Options) -> int:
    """Write the file to standard output."""
    from pellucid.config.read import merge
    from pellucid.config.write import template
    from pellucid.families.run_config import build_run

    if options.task not in TASKS:
        raise UsageError(f"no task {options.task!r}. Known: {', '.join(TASKS)}.")
    said = merge({"task": options.task, "data": {"train": ["my.en", "my.de"]}}, options.settings)
    print(HEAD + template(build_run(said, "flags"), said, CHOSEN), end="")
    return 0
