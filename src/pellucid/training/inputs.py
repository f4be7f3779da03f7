"""The inputs of a run's task: built when the run starts, or read from its directory."""

from dataclasses import asdict, replace
from shlex import quote
from typing import Any

from pellucid.config.head import HeadConfig
from pellucid.config.run import RunConfig
from pellucid.errors import DataError
from pellucid.formats.bundle import Bundle
from pellucid.tasks.protocol import TaskInputs
from pellucid.text.pair import Tokenizers
from pellucid.text.published.open import open_tokenizers
from pellucid.training.corpus import Corpus
from pellucid.training.run_directory import RunDirectory


def read_inputs(run: RunDirectory) -> TaskInputs:
    """Read the inputs of a run's task from its directory.

    Raises: DataError if the run has not encoded its data yet.
    """
    config, facts = run.config(), run.facts()
    if config is None:
        raise DataError(f"{run.path} has no config.yaml: checkpoints stay inside their run.")
    if facts is None:
        raise DataError(
            f"{run.path} has no encoded data. Make it again: pellucid data build"
            f" {quote(str(run.path))}."
        )
    return TaskInputs(
        config=config,
        tokenizers=open_run_tokenizers(run, config),
        labels={name: tuple(labels) for name, labels in facts["labels"].items()},
        label_counts=facts["label_counts"],
        n_records=facts["records"],
        longest=tuple(facts["longest"]),
        heads={name: HeadConfig(**head) for name, head in facts["heads"].items()},
        token_ids=facts["token_ids"],
    )


def open_run_tokenizers(run: RunDirectory, config: RunConfig) -> Tokenizers:
    """Open the tokenizers of a run, restricted to ids that have an embedding."""
    tokenizers, c = open_tokenizers(run.tokenizers), config.model
    if not c.vocab_size:
        return tokenizers
    return tokenizers.limit_vocab(c.vocab_size, c.target_vocab_size or c.vocab_size)


def new_inputs(
    config: RunConfig,
    tokenizers: Tokenizers,
    corpus: Corpus,
    start: Bundle | None,
) -> TaskInputs:
    """Return the inputs of a new run's task, before its data is encoded."""
    labels = corpus.labels
    inputs = TaskInputs(
        config=config,
        tokenizers=tokenizers,
        labels=labels,
        label_counts=corpus.training.labels,
        n_records=corpus.training.records,
    )
    if start is None:
        return inputs
    heads = start.model.head_configs
    for head in heads.values():  # labels that the model knows keep their ids
        labels = {n: head.labels if set(ls) <= set(head.labels) else ls for n, ls in labels.items()}
    return replace(inputs, labels=labels, start=start, heads=heads, token_ids=start.token_ids)


def dump_facts(inputs: TaskInputs) -> dict[str, Any]:
    """Return the part of the inputs that `read_inputs` reads from facts.json."""
    return {
        "labels": inputs.labels,
        "label_counts": inputs.label_counts,
        "records": inputs.n_records,
        "longest": inputs.longest,
        "heads": {name: asdict(head) for name, head in inputs.heads.items()},
        "token_ids": dict(inputs.token_ids),
    }
