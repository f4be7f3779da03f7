"""Train a model from settings: prepare, train, average, validate, export."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from pellucid.config.run import RunConfig
from pellucid.formats.bundle import Bundle
from pellucid.formats.save_bundle import save_bundle
from pellucid.formats.save_word_vectors import save_word_vectors
from pellucid.locks import RunLock
from pellucid.nn.device import choose_device
from pellucid.nn.kernel_choice import read_pinned_choices
from pellucid.nn.kernels import use_kernels
from pellucid.nn.lora import merge_lora
from pellucid.tasks.initialization import describe_heads
from pellucid.training import checkpoints
from pellucid.training.cards import CardFacts, model_card
from pellucid.training.distribution import World, join_processes
from pellucid.training.prepare import PreparedRun, locate_run, prepare_run
from pellucid.training.reporter import LogFile, Quiet, Reporter, Tee
from pellucid.training.run_directory import RunDirectory
from pellucid.training.run_kernels import run_kernels
from pellucid.training.state import Progress, find_steps_to_average
from pellucid.training.trackers import add_trackers
from pellucid.training.trainer import Runtime, Trainer


@dataclass(frozen=True)
class Trained:
    """The state of a run when its process ends."""

    run: RunDirectory
    config: RunConfig
    progress: Progress
    signal: int | None
    """The signal that stopped the run early, or None. Training again resumes the run."""


def train(
    settings: Mapping[str, Any], *, where: str = "settings", reporter: Reporter | None = None
) -> Trained:
    """Start or resume a training run.

    Raises: DataError, ConfigError before anything is trained if data or settings are invalid;
    ResourceError if another process trains there or the disk is full.
    """
    read_pinned_choices()  # check PELLUCID_KERNELS before any work is done
    with join_processes() as w:
        settings, run = locate_run(settings, where)
        with RunLock(run.path) if w.is_main else nullcontext():
            listener = _reporter(run, reporter) if w.is_main else Quiet()
            return _train(prepare_run(settings, run, w, where, listener), run, w, listener)


def build_data(
    settings: Mapping[str, Any], *, where: str = "settings", reporter: Reporter | None = None
) -> RunDirectory:
    """Create a run directory with config, tokenizers and encoded data, from which `train` starts.

    Raises: as `train`.
    """
    settings, run = locate_run(settings, where)
    with RunLock(run.path):
        prepare_run(settings, run, World(), where, _reporter(run, reporter))
    return run


def _train(prepared: PreparedRun, run: RunDirectory, w: World, reporter: Reporter) -> Trained:
    config = prepared.config
    device = w.select_device(choose_device(config.device))
    kernels = run_kernels(run, device, config.training.precision, w, reporter)
    trackers = add_trackers(reporter, config, run.path) if w.is_main else nullcontext(reporter)
    with use_kernels(kernels), trackers as listener:
        runtime = Runtime(device, w, listener)
        trainer = Trainer(prepared.task, prepared.data, config, run, runtime)
        if prepared.start is not None:
            for message in describe_heads(prepared.start.model, trainer.module):
                reporter.log(message)
            prepared.start.model.to("meta")  # its weights are copied: this frees them
        outcome = trainer.fit()
        if outcome.signal is None and w.is_main:
            _finish(config, trainer, run)
    w.wait()
    return Trained(run, config, outcome.progress, outcome.signal)


def _finish(config: RunConfig, trainer: Trainer, run: RunDirectory) -> None:
    """Average the selected checkpoints, score the result and save it as `final/`."""
    c, progress = trainer.config, trainer.progress
    group = "ema" if c.ema else "weights"
    steps = find_steps_to_average(c, progress.step) if c.average > 1 else [progress.best_step]
    paths = [checkpoints.checkpoint_path(run.path, step) for step in steps]
    checkpoints.load_parameters(trainer.module, checkpoints.average(paths, group))
    trainer.module.eval()
    with torch.no_grad():
        scores = trainer.scores()
    trainer.reporter.log_metrics({f"final_{name}": value for name, value in scores.items()})
    module, known = trainer.module.cpu(), run.facts() or {}
    merge_lora(module)
    for name, finished in trainer.task.export(module).items():
        is_model = isinstance(finished, Bundle)
        model = finished.model if is_model else module
        shape = finished.model_config if is_model else config.model
        facts = CardFacts(
            updates=progress.step,
            n_parameters=sum(p.numel() for p in model.parameters()),
            n_records=known["records"],
            n_validation=len(trainer.data.validation.records),
            label_counts=known["label_counts"],
        )
        card = model_card(replace(config, model=shape), scores, facts)
        save = save_bundle if is_model else save_word_vectors
        save(run.path / name, replace(finished, card=card))


def _reporter(run: RunDirectory, reporter: Reporter | None) -> Reporter:
    """Return a reporter that writes to the caller's and to the run's log."""
    return Tee(reporter or Quiet(), LogFile(run.log_path))
