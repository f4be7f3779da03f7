"""Write metrics for TensorBoard. Needs the `[track]` extra."""

from pathlib import Path

from pellucid.errors import ResourceError
from pellucid.training.reporter import Quiet


class TensorBoard(Quiet):
    """Writes every metric of `metrics.jsonl` as a scalar under `RUN_DIR/tensorboard`."""

    def __init__(self, run_dir: Path) -> None:
        """Raises: ResourceError if tensorboard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ResourceError(
                "training.tensorboard is set, but tensorboard is not installed."
                " pip install 'pellucid[track]', or leave the setting out."
            ) from None
        self.writer = SummaryWriter(str(run_dir / "tensorboard"))

    def log_metrics(self, record: dict[str, float]) -> None:
        for name, value in record.items():
            if "step" in record and name != "step":
                self.writer.add_scalar(name, value, int(record["step"]))

    def stop(self) -> None:
        self.writer.flush()
