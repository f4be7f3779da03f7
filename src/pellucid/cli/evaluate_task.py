"""`pellucid evaluate` of models that do not translate: the metrics of their task."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.config.data import DataConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.metrics.intervals import Interval


def measure_task(model: "Loaded", data: DataConfig, as_json: bool, unused: Sequence[str]) -> None:
    """Print the metrics of a model's task on a test set.

    data: the test set as `valid`, and how to read it. unused: flags that are for translators.
    Raises: UsageError naming them.
    """
    if unused:
        raise UsageError(
            f"{', '.join(unused)}: for translators, but this model's task is {model.task}."
        )
    from pellucid.metrics.intervals import find_intervals
    from pellucid.tasks.evaluation import evaluate

    longest = model.bundle.longest_source or DataConfig.max_length
    data = replace(
        data,
        max_length=longest,
        source_language=model.bundle.languages[0],
        target_language=model.bundle.languages[1],
    )
    device = next(model.model.parameters()).device
    metrics = evaluate(model.bundle, data.valid, data, device)
    intervals = find_intervals(metrics)
    if as_json:
        ends = {name: interval._asdict() for name, interval in intervals.items()}
        print(json.dumps({"task": model.task, "scores": metrics, "intervals": ends}))
        return
    for name, value in metrics.items():
        print(f"{name} {value:.4f}{_format_interval(intervals.get(name))}")


def _format_interval(interval: "Interval | None") -> str:
    if interval is None:
        return ""
    return f"  95 %: {interval.low:.4f} to {interval.high:.4f} ({interval.method})"
