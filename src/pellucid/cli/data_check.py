"""`pellucid data check`: everything that is wrong with data, in one pass."""

from dataclasses import dataclass, field
from typing import Literal

from pellucid.cli.parse import positional
from pellucid.config.data import DataConfig
from pellucid.errors import DataError, UsageError


@dataclass(frozen=True)
class Options:
    """Report each fault of a task's data by file, line and byte, and count them.

    pellucid data check my.en my.de
    pellucid data check --task tagging train.conll
    """

    files: tuple[str, ...] = positional()
    """Files, folders and globs as in data.train; .gz is read as is; - is standard input."""
    task: str = "translation"
    """The task whose columns are read."""
    multi_label: bool = False
    """A text has any number of labels, as with objective.multi_label."""
    columns: dict[str, str | int] = field(default_factory=dict)
    """Which field of the files each column is read from, as in data.columns."""
    directions: tuple[str, ...] = ()
    """Directions of one translator for several, as in data.directions."""
    languages: tuple[str, ...] = ()
    """Languages of one denoising model for several, as in data.languages."""
    documents: Literal["line", "blank_line", "file"] = DataConfig.documents
    """Where a document ends in plain text."""
    max_length: int = DataConfig.max_length
    """Maximum tokens of a text in training."""
    max_line_bytes: int = DataConfig.max_line_bytes
    """A longer line is a fault."""


def run(options: Options) -> int:
    """Print the report. Raises: DataError if training on this data would stop with an error."""
    from pellucid.config.tasks.catalog import task_config
    from pellucid.config.tasks.classification import ClassificationConfig
    from pellucid.data.check import check

    task = task_config(options.task, "--task")()
    if options.multi_label:
        if not isinstance(task, ClassificationConfig):
            raise UsageError("--multi-label is for --task classification. Leave it out.")
        task = ClassificationConfig(multi_label=True)
    if options.languages and not task.uses_languages:
        raise UsageError("--languages is for --task denoising. Leave it out.")
    config = DataConfig(
        columns=options.columns,
        directions=options.directions,
        languages=options.languages,
        documents=options.documents,
        max_length=options.max_length,
        max_line_bytes=options.max_line_bytes,
    )
    report = check(options.files, config, task.columns_for(config))
    for line in report.lines():
        print(line)
    if report.fatal:
        errors = sum(fault.fatal for fault in report.faults)
        raise DataError(
            f"{errors} or more errors: training on this data would stop at the first. The lines"
            " above that begin with `error` say where and what to do."
        )
    return 0
