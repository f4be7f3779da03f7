"""Small inputs of tasks, made in memory."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.config.training import TrainingConfig
from pellucid.data.examples import Encoded, InMemoryExamples, TrainingData, ValidationData
from pellucid.data.records import Record
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.train import train_tokenizers
from pellucid.training.run_directory import RunDirectory
from pellucid.training.trainer import Trainer


def records_of(rows: Any) -> list[Record]:
    return [Record("file", line, tuple(row)) for line, row in enumerate(rows, start=1)]


def texts_of(records: list[Record], n_columns: int = 1):
    for record in records:
        values = record.values[:n_columns]
        yield tuple(" ".join(v) if isinstance(v, tuple) else v for v in values)


def encoder_inputs(
    task: str, records: list[Record], size: str = "bert-tiny", **more: Any
) -> TaskInputs:
    """Inputs of a task on an encoder of width 32, its tokenizer learned from the records.

    more: settings of the objective; labels, data.
    """
    family, preset = SIZES[size]
    model = replace(preset, d_model=32, d_ff=64, n_heads=2, n_encoder_layers=2, vocab_size=0)
    labels, data = more.pop("labels", {}), more.pop("data", DataConfig(max_length=24))
    special = ALL_FAMILIES[family].special_tokens
    kind = TokenizerConfig(kind="wordpiece", vocab_size=500)
    config = RunConfig(
        task=task, objective=TASK_CONFIGS[task](**more), family=family, model=model, data=data
    )
    return TaskInputs(
        config=config,
        tokenizers=train_tokenizers(lambda: texts_of(records), kind, special),
        labels=labels,
        longest=(24,),
    )


def validation_data_of(task: Any, records: list[Record]) -> ValidationData:
    examples = [each for each in task.encode(records) if isinstance(each, Encoded)]
    return ValidationData(InMemoryExamples(examples), records)


TRAINING = TrainingConfig(
    max_updates=120,
    max_tokens=600,
    optimizer="adamw",
    schedule="constant",
    rate=0.003,
    warmup=10,
    precision="fp32",
    validate_every=120,
    checkpoint_every=120,
    keep=9,
    log_every=120,
)


def trained(task: Any, records: list[Record], path: Path, training: TrainingConfig) -> Trainer:
    """A trainer at the end of its run, which is validated on its training data."""
    path.mkdir(exist_ok=True)
    config = replace(task.inputs.config, training=training)
    data = validation_data_of(task, records)
    trainer = Trainer(task, TrainingData(data.examples, data), config, RunDirectory(path))
    trainer.fit()
    return trainer


def by_heart(task: Any, records: list[Record], path: Path, **training: Any) -> dict[str, float]:
    """The scores on its training data of a model that was trained without dropout."""
    model = task.inputs.config.model
    model = replace(model, dropout=0.0) if "dropout" in asdict(model) else model
    inputs = replace(task.inputs, config=replace(task.inputs.config, model=model))
    trainer = trained(type(task)(inputs), records, path, replace(TRAINING, **training))
    trainer.module.eval()
    return trainer.scores()


def resumed_and_whole(
    task: Any, records: list[Record], path: Path
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The tensors of a run, and of the same run in three parts."""
    short = replace(TRAINING, max_updates=9, checkpoint_every=2, validate_every=4)
    whole = trained(task, records, path / "whole", short)
    for updates in (3, 6):
        trained(task, records, path / "parts", replace(short, max_updates=updates))
    parts = trained(task, records, path / "parts", short)
    return dict(whole.module.state_dict()), dict(parts.module.state_dict())
