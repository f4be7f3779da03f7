"""The state of training: weights, optimizer, moving average and progress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import nn

from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.training import checkpoints
from pellucid.training.ema import ExponentialMovingAverage
from pellucid.training.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from pellucid.training.run_directory import RunDirectory
from pellucid.training.tuning import rate_factors


class UpdateSums(NamedTuple):
    """Sums over one update, for the next line of metrics."""

    counts: dict[str, int]
    """The count of each loss term."""
    tokens: int
    """Number of tokens in the update."""
    sums: Sequence[Sequence[float]]
    """The sum of each term, and the same times its weight."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run: the content of a checkpoint other than tensors."""

    step: int = 0
    """Number of finished updates."""
    metrics_size: int = 0
    """Size of metrics.jsonl in bytes."""
    terms: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """Each loss term's sum, the same times its weight, and its count since the last line of
    metrics."""
    tokens: int = 0
    """Number of tokens since the last line of metrics."""
    best: float | None = None
    """The best value so far of the metric that selects the best checkpoint."""
    best_step: int = 0
    stale: int = 0
    """Validations since the best one."""

    def after(self, step: int, update: UpdateSums) -> "Progress":
        """Return the progress after one more update."""
        terms = dict(self.terms)
        for (name, count), sum_, weighted in zip(update.counts.items(), *update.sums, strict=True):
            before = terms.get(name, (0.0, 0.0, 0))
            terms[name] = (before[0] + sum_, before[1] + weighted, before[2] + count)
        return replace(self, step=step, terms=terms, tokens=self.tokens + update.tokens)

    def losses(self) -> dict[str, float]:
        """Return the optimized loss as `loss`, and the mean of each term if there are several."""
        means = {name: sum_ / max(count, 1) for name, (sum_, _, count) in self.terms.items()}
        loss = sum(weighted / max(count, 1) for _, weighted, count in self.terms.values())
        return {"loss": loss, **(means if len(means) > 1 else {})}


class State:
    """A module in training with its optimizer and progress, saved and restored together."""

    def __init__(self, module: nn.Module, config: TrainingConfig, layer_decay: float = 1.0) -> None:
        self.module = module
        self.optimizer = build_optimizer(module, config, rate_factors(module, layer_decay))
        self.ema = ExponentialMovingAverage(module, config.ema) if config.ema else None
        self.progress = Progress()
        self._buffer_names = module.state_dict().keys() & dict(module.named_buffers()).keys()

    def save(self, run: RunDirectory, c: TrainingConfig) -> None:
        """Save a checkpoint. Of older ones, keep the newest, the best and those to average."""
        tensors = {
            "weights": dict(self.module.named_parameters()),
            "buffers": self.buffers(),
            "optimizer": optimizer_tensors(self.optimizer, self.module),
        }
        if self.ema is not None:
            tensors["ema"] = self.ema.shadow
        progress = self.progress
        state = {"progress": vars(progress), "threads": torch.get_num_threads()}
        checkpoints.save_checkpoint(run.path, progress.step, tensors, state)
        always = (progress.best_step, *find_steps_to_average(c, progress.step))
        checkpoints.prune(run.path, progress.step, c.keep, always)

    def restore(self, run: RunDirectory) -> list[str]:
        """Restore the newest valid checkpoint, if there is one; return messages about it."""
        latest = checkpoints.latest_checkpoint(run.path)
        messages = list(latest.skipped)
        if latest.path is None:
            return messages
        tensors, state = checkpoints.read_checkpoint(latest.path)
        checkpoints.load_parameters(self.module, tensors["weights"])
        self.restore_buffers(tensors["buffers"])
        restore_optimizer(self.optimizer, self.module, tensors["optimizer"])
        if self.ema is not None:
            self.ema.restore(tensors["ema"])
        self.progress = Progress(**state["progress"])
        messages.append(f"resuming from {latest.path.name}")
        if state["threads"] != torch.get_num_threads():
            messages.append(
                f"note: {state['threads']} threads then, {torch.get_num_threads()} now:"
                " the last bits of sums will differ from an uninterrupted run"
            )
        return messages

    def check_weights(self) -> None:
        """Raise if weights are not finite, before they are validated or saved."""
        if not torch.isfinite(torch.nn.utils.get_total_norm(self.module.parameters())):
            raise ConfigError(
                f"update {self.progress.step} left weights that are not finite, although its"
                " gradient is: the cause is the rate or the optimizer's state. The last checkpoint"
                " is older. Lower training.rate, in another run_dir."
            )

    def buffers(self) -> dict[str, torch.Tensor]:
        """Return the persistent buffers of the module, such as Transformer-XL's memory."""
        return {name: self.module.get_buffer(name) for name in sorted(self._buffer_names)}

    def restore_buffers(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set the buffers to the values of `buffers`."""
        for name, buffer in self.buffers().items():
            buffer.copy_(tensors[name])


def find_steps_to_average(c: TrainingConfig, step: int) -> list[int]:
    """Return the steps of the checkpoints whose mean is the final model.

    Checkpoints requested by a signal are not averaged, so that an interrupted run gives the same
    model as an uninterrupted one.
    """
    regular = list(range(c.checkpoint_every, step + 1, c.checkpoint_every))
    if step == c.max_updates and step not in regular:
        regular.append(step)
    return regular[-c.average :] or [step]
