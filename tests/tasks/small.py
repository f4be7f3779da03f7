"""Small inputs of tasks, made in memory."""

from dataclasses import replace
from typing import Any

from pellucid.config.data import DataConfig, TokenizerConfig
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.examples import Encoded, InMemoryExamples, ValidationData
from pellucid.data.records import Record
from pellucid.families.catalog import ALL_FAMILIES
from pellucid.families.sizes import SIZES
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.train import train_tokenizers


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
