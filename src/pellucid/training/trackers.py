"""Write metrics for TensorBoard and for Weights & Biases. Needs the `[track]` extra."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pellucid.config.run import RunConfig
from pellucid.errors import ResourceError
from pellucid.training.reporter import Quiet, Reporter, Tee


class TensorBoard(Quiet):
    """Writes every metric of `metrics.jsonl` as a scalar under `RUN_DIR/tensorboard`."""

    def __init__(self, run_dir: Path) -> None:
        """Raises: ResourceError if tensorboard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _not_installed("tensorboard") from None
        self.writer = SummaryWriter(str(run_dir / "tensorboard"))

    def log_metrics(self, record: dict[str, float]) -> None:
        for name, value in record.items():
            if "step" in record and name != "step":
                self.writer.add_scalar(name, value, int(record["step"]))

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()


class WeightsAndBiases(Quiet):
    """Writes every metric to a run of Weights & Biases, under `RUN_DIR/wandb`.

    Offline, unless the environment variable WANDB_MODE says otherwise: nothing is sent, and
    `wandb sync` uploads the run. Each start of a resumed run is a run of its own, in one group.
    """

    def __init__(self, run_dir: Path, config: RunConfig) -> None:
        """Raises: ResourceError if wandb is not installed."""
        mode = os.environ.get("WANDB_MODE", "offline")
        if mode == "offline":  # otherwise wandb sends how it is used, every minute and at the end
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            import wandb
        except ImportError:
            raise _not_installed("wandb") from None
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "pellucid"),
            dir=str(run_dir),
            name=run_dir.name,
            group=run_dir.name,
            config=asdict(config),
            mode=mode,  # type: ignore[arg-type]
            settings=wandb.Settings(console="off", silent=True),
        )

    def log_metrics(self, record: dict[str, float]) -> None:
        values = {name: value for name, value in record.items() if name != "step"}
        if "step" in record:
            self.run.log(values, step=int(record["step"]))
        else:  # the scores of the final model
            self.run.summary.update(values)

    def close(self) -> None:
        """Finish the run."""
        self.run.finish()


@contextmanager
def add_trackers(reporter: Reporter, config: RunConfig, run_dir: Path) -> Iterator[Reporter]:
    """Return a reporter that also writes to the trackers of the config, until the context ends."""
    trackers: list[TensorBoard | WeightsAndBiases] = []
    try:
        if config.training.tensorboard:
            trackers.append(TensorBoard(run_dir))
        if config.training.wandb:
            trackers.append(WeightsAndBiases(run_dir, config))
        yield Tee(reporter, *trackers)
    finally:
        for tracker in trackers:
            tracker.close()


def _not_installed(name: str) -> ResourceError:
    return ResourceError(
        f"training.{name} is set, but {name} is not installed. pip install 'pellucid[track]', or"
        " leave the setting out."
    )
