"""`pellucid train`: train a model by a config file or flags, or resume a run."""

import os
import shlex
import signal
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pellucid import allocator
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.task_sections import task_sections
from pellucid.config.run import AUTOMATIC_SETTINGS, RunConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.training.pipeline import Trained


@dataclass(frozen=True)
class Options:
    """Train a model, or resume a run: a config file, flags, or both (flags win).

    pellucid train --data.train my.en my.de
    pellucid train --task tagging --start-from MODEL --data.train my.conll
    """

    source: str = positional("")
    """A config file (.yaml), or the directory of a run to resume."""
    test: tuple[str, ...] = ()
    """Test set for the finished model, as for `pellucid evaluate --data`."""
    log_format: Literal["text", "json"] = "text"
    """Format of the log on standard error."""
    settings: dict[str, Any] = config_flags(RunConfig, AUTOMATIC_SETTINGS, task_sections)


def run(options: Options) -> int:
    """Train, then print where the model is and the next commands."""
    allocator.prepare_for_steps()
    settings, where = read_settings(options.source, options.settings)
    from pellucid.training.reporter import Quiet, choose_reporter

    is_main = os.environ.get("RANK", "0") == "0"  # under torchrun, the first process
    reporter = choose_reporter(options.log_format) if is_main else Quiet()
    if options.log_format == "json":
        warnings.showwarning = lambda message, *_: reporter.log(f"warning: {message}")
    if options.test:
        _check_test_set(options.test, settings)
    from pellucid.training.pipeline import train

    trained = train(settings, where=where, reporter=reporter)
    if trained.signal is not None:
        reporter.log(_how_to_resume(trained))
        return 128 + trained.signal
    if is_main:
        print(_next_steps(trained), flush=True)
        if options.test:
            from pellucid.cli.evaluate import measure

            measure(str(trained.run.path), options.test)
    return 0


def _check_test_set(files: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Raises: DataError if it cannot be measured after the training."""
    from pellucid.cli.pairs import read_pairs
    from pellucid.data.digests import digest
    from pellucid.data.files import expand_names, is_read_once

    names = expand_names(files)
    if any(map(is_read_once, names)):
        return
    is_translator = settings.get("task", "translation") == "translation"
    if is_translator and not settings.get("data", {}).get("directions"):
        read_pairs(files)
    else:
        for name in names:
            digest(name)  # reads it


def read_settings(source: str, flags: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the settings of a file or run, overridden by flags, and where they come from.

    Raises: DataError if the file or run does not exist; UsageError without settings.
    """
    from pellucid.config.paths import with_absolute_paths
    from pellucid.config.read import merge_settings
    from pellucid.config.source import read_source

    if not source:
        if not flags:
            raise UsageError(
                "nothing to train. Give a config file, a run's directory, or text:\n"
                "pellucid train --data.train my.en my.de\n"
                "pellucid train --task TASK --data.train FILE"
            )
        return with_absolute_paths(flags), "flags"
    settings, where = read_source(source)
    return with_absolute_paths(merge_settings(settings, flags)), where


def _how_to_resume(trained: "Trained") -> str:
    name, run = signal.Signals(trained.signal or 0).name, trained.run
    stopped = f"stopped by {name} after update {trained.progress.step:,}; everything is saved."
    if run.final.exists():
        stopped += f" {run.final} is the model that was finished before."
    return f"{stopped} Resume: pellucid train {shlex.quote(str(run.path))}"


def _next_steps(trained: "Trained") -> str:
    c, run = trained.config, trained.run.path
    languages = (c.data.source_language, c.data.target_language)
    uses = c.objective.uses(*(("", "") if c.data.directions else languages))
    has_model = c.objective.has_model
    uses = (*uses, "pellucid info {run}") if has_model else uses
    commands = [use.format(run=shlex.quote(str(run))) for use in uses]
    result = "The model is" if has_model else "The vectors are"
    return "\n  ".join([f"{result} in {trained.run.final}. Next:", *commands])
