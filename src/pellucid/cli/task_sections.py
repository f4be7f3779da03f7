"""Which settings `objective` and `model` have, by the task and size that the arguments name."""

from collections.abc import Sequence
from pathlib import Path

from pellucid.cli.parse import read_flags
from pellucid.config.tasks.catalog import TASK_CONFIGS, task_config
from pellucid.errors import UsageError


def task_sections(args: Sequence[str]) -> dict[str, type]:
    """Return the classes of a run's sections that depend on its task and size.

    A config file or a run's directory among the arguments counts where no flag names them.
    Raises: UsageError at an unknown task in a flag; ConfigError at one in a file.
    """
    flags = read_flags(args, "task", "size")
    if flags.get("task", "translation") not in TASK_CONFIGS:
        raise UsageError(f"no task {flags['task']!r}. Known: {', '.join(TASK_CONFIGS)}.")
    named = {**_in_file(args), **flags}
    task = task_config(named.get("task", "translation"), "the config file")
    return {"objective": task, "model": task.model_class(named.get("size", "auto"))}


def _in_file(args: Sequence[str]) -> dict[str, str]:
    for arg in args:
        path = Path(arg)
        if arg in TASK_CONFIGS:  # `pellucid init TASK`
            return {"task": arg}
        file = path / "config.yaml" if path.is_dir() else path
        if file.suffix in (".yaml", ".yml") and file.is_file():
            from pellucid.config.read import read_yaml  # help without a file does not need it

            settings = read_yaml(file)
            return {n: settings[n] for n in ("task", "size") if isinstance(settings.get(n), str)}
    return {}
