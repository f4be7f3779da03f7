"""The training loop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import torch

from pellucid.allocator import FreedMemory
from pellucid.config.run import RunConfig
from pellucid.data.examples import TrainingData
from pellucid.errors import ConfigError
from pellucid.nn.device import seed_generators
from pellucid.nn.kernels import active_choices
from pellucid.tasks.protocol import Task
from pellucid.training.clock import Clock
from pellucid.training.distribution import World
from pellucid.training.epochs import count_updates
from pellucid.training.loss_module import LossModule
from pellucid.training.optimizers import set_rate
from pellucid.training.reporter import Quiet, Reporter
from pellucid.training.run_directory import RunDirectory
from pellucid.training.schedules import learning_rate
from pellucid.training.signals import handle_signals
from pellucid.training.state import Progress, State, UpdateSums
from pellucid.training.stream import MicroBatch, Stream, derive_seed
from pellucid.training.tuning import build_module


class Outcome(NamedTuple):
    """The result of training."""

    progress: Progress
    signal: int | None  # the signal that stopped it, or None


@dataclass(frozen=True)
class Runtime:
    """Device, processes and reporter of a training run."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    world: World = field(default_factory=World)
    reporter: Reporter = field(default_factory=Quiet)


class Trainer:
    """Trains the module of a task, resuming from the newest checkpoint of the run directory."""

    def __init__(
        self,
        task: Task,
        data: TrainingData,
        config: RunConfig,
        run: RunDirectory,
        runtime: Runtime | None = None,
    ) -> None:
        runtime = runtime or Runtime()
        if config.training.compile and runtime.device.type == "cpu":
            raise ConfigError(
                "training.compile is for GPUs. On a CPU the compiled model was slower than our own"
                " kernels, and torch 2.13 fails to compile parts of it. Leave the setting out."
            )
        self.task, self.data, self.run = task, data, run
        self.config = count_updates(config.training, data.train.lengths, task.order)
        self.d_model = config.model.d_model
        self.best_by = config.best_by
        self.direction = config.objective.metrics[self.best_by]
        self.device, self.world = runtime.device, runtime.world
        self.reporter = runtime.reporter if self.world.is_main else Quiet()
        self.module = build_module(task, config).to(self.device).train()
        self.state = State(self.module, self.config, config.tuning.layer_decay)
        self.bf16 = uses_bf16(self.config.precision)
        for message in self.state.restore(run):
            self.reporter.log(message)
        if self.world.is_main:
            run.rewind_metrics(self.progress.metrics_size)
        if self.config.compile:
            self.module.compile(dynamic=True)
        self.loss_module = self.world.wrap(LossModule(self.module, task))
        self.parameters = list(self.module.parameters())

    @property
    def progress(self) -> Progress:
        """The progress of the run."""
        return self.state.progress

    def fit(self) -> Outcome:
        """Train until the last update or a signal. The last state is always saved."""
        c = self.config
        start = self.progress.step
        stream = Stream(self.task, self.data.train, c, self.world)
        micro_batches = stream.iterate_from(start * c.accumulate)
        clock, freed = Clock(), FreedMemory()
        self.reporter.start("training", start, c.max_updates)
        try:
            with handle_signals() as signals:
                for step in range(start + 1, c.max_updates + 1):
                    if self._is_stale():
                        break
                    rate = learning_rate(step, c, self.d_model)
                    batches = list(islice(micro_batches, c.accumulate // self.world.size))
                    norm = self._update(batches, rate)
                    self.reporter.advance(step)
                    if step % c.log_every == 0 or step == c.max_updates:
                        self._log(rate, norm, clock)
                        freed.release()
                    if step % c.validate_every == 0 or step == c.max_updates:
                        self._validate(clock)
                    stop, save = self.world.max(*signals.take())
                    if stop or save or self._is_save_due():
                        self._save()
                    if stop:
                        return Outcome(self.progress, stop)
        finally:
            self.reporter.stop()
        return Outcome(self.progress, None)

    def _update(self, micro_batches: Sequence[MicroBatch], rate: float) -> float:
        """Take one optimizer step on micro-batches of all processes; return the gradient norm."""
        step = self.progress.step + 1
        buffers = {name: buffer.clone() for name, buffer in self.state.buffers().items()}
        counts, tokens = self._counts(micro_batches)
        sums = torch.zeros(2, len(counts), dtype=torch.float64, device=self.device)
        for i, micro in enumerate(micro_batches):
            seed_generators(derive_seed(self.config.seed, micro.number), self.device)
            self._synchronise(last=i == len(micro_batches) - 1)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                losses = self.loss_module(micro.batch.to(self.device), counts)
            (losses.loss * self.world.size).backward()  # DDP takes the mean over processes
            sums += losses.sums
        norm = self._norm()
        if not torch.isfinite(norm):
            self.state.restore_buffers(buffers)  # the forward has changed them
            self._raise_diverged(step, micro_batches)
        set_rate(self.state.optimizer, rate)
        self.state.optimizer.step()
        self.state.optimizer.zero_grad(set_to_none=True)
        if self.state.ema is not None:
            self.state.ema.update(self.module)
        update = UpdateSums(counts, tokens, self.world.sum(sums).tolist())
        self.state.progress = self.progress.after(step, update)
        return float(norm)

    def _counts(self, micro_batches: Sequence[MicroBatch]) -> tuple[dict[str, int], int]:
        """Return the count of each loss term over the whole update, and the number of tokens."""
        each = [self.task.counts(micro.batch) for micro in micro_batches]
        names = list(each[0])
        tokens = sum(self.task.tokens(micro.batch) for micro in micro_batches)
        local = [*(sum(c[name] for c in each) for name in names), tokens]
        summed = self.world.sum(torch.tensor(local, dtype=torch.float64))
        *totals, tokens = (int(count) for count in summed.tolist())
        return dict(zip(names, totals, strict=True)), tokens

    def _synchronise(self, last: bool) -> None:
        """Make DDP sum gradients only on the last backward of an update."""
        if self.world.size > 1:
            self.loss_module.require_backward_grad_sync = last  # type: ignore[assignment]

    def _norm(self) -> torch.Tensor:
        """Clip the gradient if `clip_norm` is set; return its norm before clipping."""
        parameters = [p for p in self.parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.config.clip_norm and norm > self.config.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip_norm, norm)
        return norm

    def _raise_diverged(self, step: int, micro_batches: Sequence[MicroBatch]) -> None:
        """Raise before the optimizer step because the gradient is not finite."""
        train = self.data.train
        origins = [train.origin(int(i)) for micro in micro_batches for i in micro.indices]
        shown = ", ".join(sorted(origins)[:20]) + (" ..." if len(origins) > 20 else "")
        self._save()
        raise ConfigError(
            f"the gradient of update {step} is not finite; the state before it is saved."
            f" Its batch was made from {shown}."
            " Look at those lines; or, in another run_dir, lower training.rate or set"
            " training.clip_norm: 1."
        )

    def _log(self, rate: float, norm: float, clock: Clock) -> None:
        record = {"step": self.progress.step, **self.progress.losses()}
        record |= {"rate": rate, "gradient_norm": norm, **clock.lap(self.progress.tokens)}
        self._update_progress(terms={}, tokens=0)
        self._record(record)

    def _validate(self, clock: Clock) -> None:
        """Evaluate on validation data, with the averaged weights if there are any."""
        self.state.check_weights()
        with clock.pause(), torch.no_grad():
            self.module.eval()
            if self.state.ema is None:
                scores = self.scores()
            else:
                with self.state.ema.swap_into(self.module):
                    scores = self.scores()
            self.module.train()
        score, best = scores[self.best_by], self.progress.best
        best = math.nan if best is None else best
        is_better = score > best if self.direction == "higher" else score < best
        if is_better or math.isnan(best):
            self._update_progress(best=score, best_step=self.progress.step, stale=0)
        else:
            self._update_progress(stale=self.progress.stale + 1)
        self._record(
            {
                "step": self.progress.step,
                **{f"valid_{name}": value for name, value in scores.items()},
            }
        )

    def scores(self) -> dict[str, float]:
        """Return the metrics of the module's current weights on validation data."""
        return self.task.validate(self.module, self.data.validation, self.device)

    def _record(self, record: dict[str, Any]) -> None:
        self.reporter.log_metrics(record)
        if self.world.is_main:
            self.run.add_metrics(record)
            self._update_progress(metrics_size=self.run.metrics_size())

    def _update_progress(self, **changes: Any) -> None:
        """Set fields of the progress."""
        self.state.progress = replace(self.progress, **changes)

    def _save(self) -> None:
        self.state.check_weights()
        if self.world.is_main:
            self.state.save(self.run, self.config)

    def _is_stale(self) -> bool:
        return 0 < self.config.patience <= self.progress.stale

    def _is_save_due(self) -> bool:
        step, c = self.progress.step, self.config
        regular = step % c.checkpoint_every == 0 or step == c.max_updates
        return regular or step == self.progress.best_step or self._is_stale()


def uses_bf16(precision: str) -> bool:
    """Return whether training computes matrix products in bf16."""
    return precision == "bf16" or (precision == "auto" and active_choices().bf16)
