"""`pellucid evaluate` of models that do not translate: the metrics of their task."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.models import load_model
from pellucid.cli.render import describe_cut
from pellucid.config.data import DataConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.files import expand_names, is_read_once
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.cli.evaluate import Options
    from pellucid.metrics.comparison import Difference
    from pellucid.metrics.details import Confusion, Details
    from pellucid.metrics.intervals import Interval
    from pellucid.tasks.evaluation import Evaluation

MAX_PRINTED = 12
"""Labels of a printed confusion matrix; rare ones are counted together."""


def measure_task(model: "Loaded", task: str, options: "Options") -> None:
    """Print the metrics of a task on a test set, and write the files that are requested.

    Raises: UsageError if the task has no such file.
    """
    _check_options(task, options)
    from pellucid.cli.error_file import write_errors
    from pellucid.cli.picture import draw
    from pellucid.files import atomic_write
    from pellucid.metrics.intervals import find_details, find_intervals

    other = _load_other(task, options)
    evaluation = _evaluate(model, task, options, list_wrong=bool(options.errors))
    if evaluation.n_cut and all(column.kind != "document" for column in evaluation.columns):
        print(describe_cut(evaluation.n_cut), file=sys.stderr)
    differences = {}
    if other is not None:
        from pellucid.metrics.comparison import compare

        differences = compare(_evaluate(other, task, options).metrics, evaluation.metrics)
    intervals, details = find_intervals(evaluation.metrics), find_details(evaluation.metrics)
    if options.json:
        record = _as_record(evaluation, intervals, details)
        if other is not None:
            record["comparison"] = {name: d._asdict() for name, d in differences.items()}
        print(json.dumps(record, ensure_ascii=False))
    else:
        for line in _describe(evaluation.metrics, intervals, details):
            print(line)
        for line in _describe_differences(options.against, differences):
            print(line)
    if options.errors:
        write_errors(Path(options.errors), evaluation)
    if options.picture:
        lines = list(_describe_metrics(evaluation.metrics, intervals))
        picture = draw(details, " ".join(options.data), lines)
        atomic_write(Path(options.picture), picture.encode())


def _check_options(task: str, options: "Options") -> None:
    config = TASK_CONFIGS[task]
    for flag, has_it in (("errors", config.has_errors), ("picture", config.has_picture)):
        if getattr(options, flag) and not has_it:
            raise UsageError(f"--{flag}: there is none for the task {task}. Leave it out.")
    if options.against and not config.has_intervals:
        raise UsageError(
            f"--against: models of the task {task} are not compared, because its metrics have no"
            " confidence intervals. Leave it out."
        )
    if options.against and any(map(is_read_once, expand_names(options.data))):
        raise UsageError("--against: two models read the test set, so it cannot be a pipe.")


def _load_other(task: str, options: "Options") -> "Loaded | None":
    """Return the model to compare with, if there is one. Raises: UsageError if it does not fit."""
    if not options.against:
        return None
    from pellucid.tasks.choose_task import choose_task

    other = load_model(options.against, options.device, options.dtype, decodes=False)
    choose_task(other.bundle, task)
    return other


def _evaluate(
    model: "Loaded", task: str, options: "Options", *, list_wrong: bool = False
) -> "Evaluation":
    from pellucid.nn.pack_model import pack_model
    from pellucid.tasks.evaluation import EvaluationOptions, evaluate, longest_text

    bundle = model.bundle
    data = DataConfig(
        valid=options.data,
        columns=options.columns,
        documents=options.documents,
        max_length=longest_text(bundle, task),
        source_language=bundle.languages[0],
        target_language=bundle.languages[1],
    )
    if options.dtype != "fp32":
        bundle = replace(bundle, model=pack_model(model.model, options.dtype))
    settings = {"stride": options.stride} if options.stride else {}
    request = EvaluationOptions(task=task, objective=settings, list_wrong=list_wrong)
    return evaluate(bundle, data, next(model.model.parameters()).device, request)


def _as_record(
    evaluation: "Evaluation", intervals: Mapping[str, "Interval"], details: "Details"
) -> dict[str, Any]:
    """Return the JSON object; all tasks have the same keys."""
    confusion = details.confusion
    return {
        "task": evaluation.task,
        "scores": evaluation.metrics,
        "intervals": {name: interval._asdict() for name, interval in intervals.items()},
        "classes": {label: score._asdict() for label, score in details.classes.items()},
        "confusion": confusion
        and {"labels": confusion.labels, "counts": confusion.counts.tolist()},
    }


def _describe(
    metrics: Mapping[str, float], intervals: Mapping[str, "Interval"], details: "Details"
) -> Iterator[str]:
    yield from _describe_metrics(metrics, intervals)
    if details.classes:
        rows = [
            (label, *(f"{value:.4f}" for value in score[:3]), f"{score.support}")
            for label, score in details.classes.items()
        ]
        yield ""
        yield from _table([("", "precision", "recall", "f1", "support"), *rows])
    if details.confusion:
        yield ""
        yield from _describe_confusion(details.confusion.limit_labels(MAX_PRINTED))


def _describe_metrics(
    metrics: Mapping[str, float], intervals: Mapping[str, "Interval"]
) -> Iterator[str]:
    for name, value in metrics.items():
        interval = intervals.get(name)
        ends = f"  95 %: {interval.low:.4f} to {interval.high:.4f}" if interval else ""
        yield f"{name} {value:.4f}{ends}{f' ({interval.method})' if interval else ''}"


def _describe_differences(other: str, differences: Mapping[str, "Difference"]) -> Iterator[str]:
    if not differences:
        return
    from pellucid.metrics.comparison import describe_chance

    yield ""
    title = (f"against {other}", "other", "model", "difference", "95 %", "")
    rows = [
        (
            name,
            *(f"{value:.4f}" for value in (d.before, d.after)),
            f"{d.delta:+.4f}",
            f"{d.low:+.4f} to {d.high:+.4f}",
            describe_chance(d.p_value),
        )
        for name, d in differences.items()
    ]
    yield from _table([title, *rows])


def _describe_confusion(confusion: "Confusion") -> Iterator[str]:
    rows = zip(confusion.labels, confusion.counts.tolist(), strict=True)
    counts = [(label, *map(str, row)) for label, row in rows]
    yield from _table([("gold \\ predicted", *confusion.labels), *counts])


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table; the first column is flush left, the others right."""
    from rich.cells import cell_len as width

    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first + " " * (widths[0] - width(first))]
        cells += [" " * (n - width(c)) + c for c, n in zip(others, widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()
