"""Average checkpoints of a run, finished or not, into a model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.errors import DataError, UsageError
from pellucid.formats.bundle import Bundle
from pellucid.json_files import read_json
from pellucid.manifest import verify
from pellucid.nn.lora import merge_lora
from pellucid.tasks.catalog import build_task
from pellucid.training import checkpoints
from pellucid.training.cards import CardFacts, model_card
from pellucid.training.inputs import read_inputs
from pellucid.training.run_directory import RunDirectory
from pellucid.training.tuning import build_module


def find_checkpoints(path: Path) -> list[Path]:
    """Return the checkpoints of a run, oldest first; or the path itself if it is a checkpoint.

    Raises: DataError if it is neither; VerificationError if one is damaged.
    """
    if (path / "config.yaml").is_file():
        paths = checkpoints.list_checkpoints(path)
    else:
        paths = [path] if (path / "state.json").is_file() else []
    if not paths:
        raise DataError(
            f"{path} is neither a checkpoint nor a run with checkpoints. Check the name."
        )
    for checkpoint in paths:
        verify(checkpoint)
    return paths


def average_checkpoints(paths: Sequence[Path]) -> Bundle:
    """Return the model whose weights are the mean of these checkpoints of one run.

    Raises: UsageError if they are of several runs, or one is named twice; DataError if the run
    lacks what a model needs.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("a checkpoint is named twice and would count twice. Name each once.")
    runs = {path.resolve().parent.parent for path in paths}
    if len(runs) != 1:
        raise UsageError(
            "these checkpoints belong to several runs, whose weights are unrelated. Average the"
            " checkpoints of one run."
        )
    run = RunDirectory(runs.pop())
    inputs = read_inputs(run)
    config = inputs.config
    if not config.objective.has_model:
        raise UsageError(f"the result of task {config.task} is no model. Use the run's own result.")
    tensors = checkpoints.average(paths, "ema" if config.training.ema else "weights")
    task = build_task(inputs)
    module = build_module(task, config)
    checkpoints.load_parameters(module, tensors)
    merge_lora(module)
    bundle = task.export(module.eval())["final"]
    averaged = replace(config.training, average=len(paths))
    last = max(read_json(path / "state.json")["progress"]["step"] for path in paths)
    facts = CardFacts(
        updates=last,
        n_parameters=sum(p.numel() for p in bundle.model.parameters()),
        n_records=inputs.n_records,
        label_counts=inputs.label_counts,
    )
    return replace(bundle, card=model_card(replace(config, training=averaged), {}, facts))
