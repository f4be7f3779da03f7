"""Evaluate a finished model on a test set, with the metrics of its task."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from pellucid.config.columns import LABEL_KINDS
from pellucid.config.data import DataConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS, task_config
from pellucid.config.tasks.summarization import SummarizationConfig
from pellucid.data.examples import Encoded, InMemoryExamples, ValidationData
from pellucid.data.records import read_records
from pellucid.errors import DataError, UsageError
from pellucid.formats.bundle import Bundle
from pellucid.tasks.catalog import build_task
from pellucid.tasks.protocol import TaskInputs


def evaluate(
    bundle: Bundle, files: Sequence[str], data: DataConfig, device: torch.device
) -> dict[str, float]:
    """Return the metrics of the model's task on these files.

    Raises: UsageError if the model has no task; DataError if a file is invalid.
    """
    if bundle.task not in TASK_CONFIGS:
        raise UsageError(
            f"this model has no training task (task={bundle.task!r}), so it has no"
            " metrics. Fine-tune it first: pellucid train --start-from MODEL --task TASK."
        )
    inputs = build_task_inputs(bundle, data)
    task = build_task(inputs)
    records = list(read_records(files, inputs.config.objective.columns, data))
    examples = [item for item in task.encode(records) if isinstance(item, Encoded)]
    if not examples:
        raise DataError(f"{', '.join(files)}: no example in it. Check the file.")
    model = bundle.model.to(device).eval()
    with torch.no_grad():
        return task.validate(model, ValidationData(InMemoryExamples(examples), records), device)


def build_task_inputs(bundle: Bundle, data: DataConfig) -> TaskInputs:
    """Return the inputs of a finished model's task. Settings of training have their defaults."""
    heads = bundle.model.head_configs
    objective = task_config(bundle.task, "the model").of_model(heads, bundle.embedding)
    if isinstance(objective, SummarizationConfig):
        objective = replace(objective, source_prefix=bundle.source_prefix)
    labels = next((head.labels for head in heads.values() if head.labels), ())
    return TaskInputs(
        config=RunConfig(
            task=bundle.task,
            objective=objective,
            family=bundle.family,
            model=bundle.model_config,
            data=data,
            decoding=bundle.decoding,
        ),
        tokenizers=bundle.tokenizers,
        labels={c.name: labels for c in objective.columns if c.kind in LABEL_KINDS},
        longest=(bundle.longest_source,),
        heads=heads,
        token_ids=bundle.token_ids,
    )
