"""`pellucid init`: a config file in which a comment describes each setting."""

from dataclasses import dataclass
from typing import Any

from pellucid.cli.parse import config_flags, positional
from pellucid.cli.task_sections import task_sections
from pellucid.config.run import AUTOMATIC_SETTINGS, RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.errors import UsageError

HEAD = """\
# Settings of a run: pellucid train THIS_FILE. A setting after `#` has the value shown, or is
# chosen by size, text and machine where the comment says so. Remove the `#` to set it.

"""


@dataclass(frozen=True)
class Options:
    """Print a commented config file: pellucid init translation > my.yaml; pellucid train my.yaml"""

    task: str = positional("translation")
    """What to train for, such as translation or classification."""
    settings: dict[str, Any] = config_flags(RunConfig, AUTOMATIC_SETTINGS, task_sections)


def run(options: Options) -> int:
    """Write the file to standard output."""
    from pellucid.config.read import merge
    from pellucid.config.write import template
    from pellucid.formats.locate import locate
    from pellucid.formats.open_model import open_model
    from pellucid.training.defaults import RunContext, complete_settings

    if options.task not in TASK_CONFIGS:
        raise UsageError(f"no task {options.task!r}. Known: {', '.join(TASK_CONFIGS)}.")
    files = TASK_CONFIGS[options.task].example_files
    settings = merge({"task": options.task, "data": {"train": files}}, options.settings)
    start = open_model(locate(settings["start_from"])) if settings.get("start_from") else None
    config, _ = complete_settings(settings, RunContext(10_000, on_cpu=True, start=start), "flags")
    print(HEAD + template(config, settings, AUTOMATIC_SETTINGS), end="")
    return 0
