"""All that training changes: weights, optimizer, their average, and how far it has come."""

from dataclasses import dataclass, field

import torch
from torch import nn

from pellucid.config.training import TrainingConfig
from pellucid.training import checkpoints
from pellucid.training.ema import Average
from pellucid.training.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from pellucid.training.run_directory import RunDirectory


@dataclass(frozen=True)
class Journey:
    """How far a run has come: all that a checkpoint holds beside tensors."""

    step: int = 0
    metrics_size: int = 0
    """Bytes of metrics.jsonl when this was so."""
    sums: dict[str, float] = field(default_factory=dict)
    """Loss sums and counts since the last line of metrics."""
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    """Validations since the best one."""


class State:
    """A module in training, as one thing that is saved and restored."""

    def __init__(self, module: nn.Module, config: TrainingConfig) -> None:
        self.module = module
        self.optimizer = build_optimizer(module, config)
        self.average = Average(module, config.ema) if config.ema else None
        self.journey = Journey()

    def save(self, run: RunDirectory, c: TrainingConfig) -> None:
        """Publish a checkpoint; of older ones stay the newest, the best, and those to average."""
        tensors = {
            "weights": dict(self.module.named_parameters()),
            "optimizer": optimizer_tensors(self.optimizer, self.module),
        }
        if self.average is not None:
            tensors["ema"] = self.average.shadow
        journey = self.journey
        state = {"journey": vars(journey), "threads": torch.get_num_threads()}
        checkpoints.save_checkpoint(run.path, journey.step, tensors, state)
        always = (journey.best_step, *averaged_steps(c, journey.step))
        checkpoints.prune(run.path, c.keep, always)

    def restore(self, run: RunDirectory) -> list[str]:
        """Go on from the newest valid checkpoint, if there is any; what is worth saying of it."""
        found = checkpoints.latest_checkpoint(run.path)
        messages = list(found.skipped)
        if found.path is None:
            return messages
        tensors, state = checkpoints.load_checkpoint(found.path)
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(tensors["weights"][name])
        restore_optimizer(self.optimizer, self.module, tensors["optimizer"])
        if self.average is not None:
            self.average.restore(tensors["ema"])
        self.journey = Journey(**state["journey"])
        messages.append(f"resuming from {found.path.name}")
        if state["threads"] != torch.get_num_threads():
            messages.append(
                f"note: {state['threads']} threads then, {torch.get_num_threads()} now:"
                " the last bits of sums will differ from an uninterrupted run"
            )
        return messages


def averaged_steps(c: TrainingConfig, step: int) -> list[int]:
    """The regular checkpoints, at `step` or before, whose mean is the final model.

    Those that a signal asked for do not count: an interrupted run ends as an uninterrupted one.
    """
    regular = list(range(c.checkpoint_every, step + 1, c.checkpoint_every))
    if step == c.max_updates and step not in regular:
        regular.append(step)
    return regular[-c.average :] or [step]
