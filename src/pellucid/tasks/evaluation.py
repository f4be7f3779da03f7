"""Evaluate a finished model on a test set, with the metrics of its task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from pellucid.config.columns import LABEL_KINDS, Column
from pellucid.config.data import MAX_LENGTHS, DataConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import task_config
from pellucid.config.tasks.summarization import SummarizationConfig
from pellucid.data.examples import ValidationData
from pellucid.data.files import expand_names
from pellucid.data.records import FileRecords, Records, read_records
from pellucid.data.store import build_store
from pellucid.errors import UsageError
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.formats.bundle import Bundle
from pellucid.tasks.catalog import build_task
from pellucid.tasks.choose_task import choose_task
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.published.language import list_languages


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What is measured, and what is reported."""

    task: str = ""
    """The task; empty: that of the model."""
    objective: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the task that differ from those of the model."""
    list_wrong: bool = False
    """Whether the details list wrong predictions."""


class Evaluation(NamedTuple):
    """The result of `evaluate`."""

    task: str
    metrics: Mapping[str, float]
    """With intervals and details: see `find_intervals` and `find_details`."""
    columns: tuple[Column, ...]
    records: Records
    """The test set."""
    n_cut: int
    """Texts that were cut because they are longer than `data.max_length`."""


def evaluate(
    bundle: Bundle,
    data: DataConfig,
    device: torch.device,
    options: EvaluationOptions = EvaluationOptions(),
) -> Evaluation:
    """Measure a model on the files of `data.valid`.

    Texts and ids are read from files, so that memory does not grow with them.
    Raises: UsageError if the model does not fit the task; DataError if a file is invalid.
    """
    bundle = replace(bundle, task=choose_task(bundle, options.task))
    inputs = build_task_inputs(bundle, data, **options.objective)
    data = inputs.config.data
    task, columns = build_task(inputs), inputs.config.objective.columns_for(data)
    records = _open_records(data, columns, inputs.labels)
    model = bundle.model.to(device).eval()
    # Windows deletes no file that is mapped into memory; the system does later.
    folder = TemporaryDirectory(prefix="pellucid-", ignore_cleanup_errors=True)
    with folder as path, torch.no_grad():
        examples = build_store(records, task.encode, Path(path) / "examples")
        validation = ValidationData(examples, records, options.list_wrong)
        metrics = task.validate(model, validation, device)
        return Evaluation(bundle.task, metrics, columns, records, examples.n_cut)


def longest_text(bundle: Bundle, task: str) -> int:
    """Return the greatest number of tokens of a text that a model reads in its evaluation.

    Labels, tags and similarities are predicted as the model's own methods do; documents are cut
    into blocks of the length that the training allowed.
    """
    if task not in ("classification", "tagging", "similarity"):
        return bundle.longest_source or DataConfig.max_length
    embeds = task == "similarity" and "classifier" not in bundle.model.head_configs
    limits = bundle.model_config.max_positions, bundle.embedding.longest if embeds else 0
    return min((n for n in limits if n), default=MAX_LENGTHS["max_length"])


def build_task_inputs(bundle: Bundle, data: DataConfig, **settings: Any) -> TaskInputs:
    """Return the inputs of a finished model's task. Settings of training have their defaults.

    settings: those of the objective that differ. Raises: UsageError if the task lacks one.
    """
    heads = bundle.model.head_configs
    objective = task_config(bundle.task, "the model").of_model(heads, bundle.embedding)
    if bundle.family in PUBLISHED_FAMILIES:
        of_family = PUBLISHED_FAMILIES[bundle.family].objectives.get(bundle.task, {})
        objective = replace(objective, **of_family)
    if isinstance(objective, SummarizationConfig):
        objective = replace(objective, source_prefix=bundle.source_prefix)
    for name in settings:
        if not hasattr(objective, name):
            raise UsageError(f"--{name}: the task {bundle.task} has no such setting. Leave it out.")
    objective = replace(objective, **settings)
    languages = list_languages(bundle.tokenizers.source)
    if bundle.task == "denoising" and len(languages) > 1:
        data = replace(data, languages=languages)
    labels = next((head.label_names for head in heads.values() if head.outputs), ())
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


def _open_records(
    data: DataConfig, columns: tuple[Column, ...], labels: Mapping[str, tuple[str, ...]]
) -> Records:
    """Return the test set. Whole numbers are read as the labels with these numbers.

    Unless labels of the model are numbers themselves.
    """
    names = next(iter(labels.values()), ())
    if len(set(names)) == len(names) and not any(name.isdigit() for name in names):
        data = replace(data, labels=names)
    if all(Path(name).is_file() for name in expand_names(data.valid)):
        return FileRecords(data.valid, columns, data)
    return list(read_records(data.valid, columns, data))  # a pipe can be read only once
