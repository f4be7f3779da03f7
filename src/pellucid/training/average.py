"""A finished model from checkpoints of a run, whether it has ended or not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from pellucid.config.run import RunConfig
from pellucid.data.store import PairStore
from pellucid.errors import DataError, UsageError
from pellucid.formats.bundle import Bundle
from pellucid.manifest import verify
from pellucid.tasks.translation import TranslationTask
from pellucid.text.pair import Tokenizers
from pellucid.training import checkpoints
from pellucid.training.cards import model_card
from pellucid.training.run_directory import RunDirectory


def checkpoints_of(path: Path) -> list[Path]:
    """The checkpoints that a name means: all of a run's, oldest first, or that one itself.

    Raises: DataError if it is neither; VerificationError if one is damaged.
    """
    if (path / "config.yaml").is_file():
        found = sorted((path / "checkpoints").glob("step-*"))
    else:
        found = [path] if (path / "state.json").is_file() else []
    if not found:
        raise DataError(f"{path} is no checkpoint and no run that has one. Check the name.")
    for checkpoint in found:
        verify(checkpoint)
    return found


def averaged(paths: Sequence[Path]) -> Bundle:
    """The model whose weights are the mean of these checkpoints, all of one run.

    Raises: UsageError if they are of several runs, or one is named twice; DataError if the run
    lacks what a model needs.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("a checkpoint is named twice and would count twice. Name each but once.")
    runs = {path.resolve().parent.parent for path in paths}
    if len(runs) != 1:
        raise UsageError(
            "these checkpoints are of several runs, whose weights have nothing to do with each"
            " other. Average those of one."
        )
    run = RunDirectory(runs.pop())
    config = run.config()
    if config is None:
        raise DataError(f"{run.path} has no config.yaml: checkpoints stay inside their run.")
    tensors = checkpoints.average(paths, "ema" if config.training.ema else "weights")
    task = _task(run, config)
    module = task.build(config.training.seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(tensors[name])
    (directory,) = task.export(module.eval()).values()
    averaged = replace(config.training, average=len(paths))
    last = max(map(checkpoints.step_of, paths))
    return replace(directory, card=model_card(replace(config, training=averaged), {}, last))


def _task(run: RunDirectory, config: RunConfig) -> TranslationTask:
    tokenizers = Tokenizers.load(run.tokenizers)
    stores = [PairStore(path) for path in sorted(run.data.glob("*")) if path.is_dir()]
    if not stores:
        raise DataError(f"{run.data} holds no data. Make it again: pellucid data build {run.path}.")
    longest = max(int(store.lengths[:, 0].max()) for store in stores)
    return TranslationTask(config, tokenizers, stores[0], (), longest)
