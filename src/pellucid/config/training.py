"""Settings of training: batches, optimizer, learning rate, precision and checkpoints."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least, check_at_most, check_fraction
from pellucid.errors import ConfigError

# Larger values are mistakes that would exhaust the machine before an error could be shown.
MAXIMA = {"accumulate": 65_536, "workers": 64, "threads": 1024}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of training. Defaults follow Vaswani et al. 2017, section 5, on a small machine."""

    seed: int = 1
    max_updates: int = 100_000
    max_tokens: int = 4096
    """Maximum tokens per micro-batch, padding included, on the longer of source and target."""
    accumulate: int = 1
    """Micro-batches per update over all processes: each of 2 processes computes half of them."""

    optimizer: Literal["adam", "adamw"] = "adam"
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-9
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    """Maximum gradient norm; 0 means no clipping."""

    schedule: Literal["noam", "inverse-sqrt", "linear", "cosine", "constant"] = "noam"
    warmup: int = 4000
    """Updates of linear warm-up."""
    rate: float = 1.0
    """Peak learning rate; for `noam`, a factor on the paper's formula."""

    precision: Literal["fp32", "bf16", "auto"] = "auto"
    """bf16: matrix products in bfloat16. auto: measure once per machine which one is faster."""
    compile: bool = False
    """Compile the model with torch.compile; for GPUs."""

    ema: float = 0.0
    """Decay of the moving average of the weights that is validated and saved; 0 means none."""
    average: int = 1
    """Number of last checkpoints whose mean is the final model; 1 means the best checkpoint."""

    validate_every: int = 1000
    patience: int = 0
    """Stop after this many validations without improvement; 0 means no early stopping."""
    best_by: str = ""
    """Validation metric that selects the best checkpoint; empty means the task's default."""
    checkpoint_every: int = 1000
    keep: int = 1
    """Number of checkpoints to keep on disk; at least `average` are kept."""
    log_every: int = 50
    workers: int = 0
    """Number of processes that prepare batches; 0 means the training process prepares them."""
    threads: int = 0
    """CPU threads per process; 0 means all cores. Results depend on it in the last bits."""
    tensorboard: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "max_updates", "max_tokens", "accumulate", "average", "keep")
        check_at_least(1, self, "validate_every", "checkpoint_every", "log_every")
        check_at_least(0, self, "seed", "weight_decay", "clip_norm", "warmup", "patience")
        check_at_least(0, self, "workers", "threads")
        check_at_most(MAXIMA, self)
        check_fraction(self, "ema")
        if not (all(0 <= beta < 1 for beta in self.betas) and self.eps > 0 and self.rate > 0):
            raise ConfigError(
                f"betas={self.betas}, eps={self.eps}, rate={self.rate}: betas must be in [0, 1),"
                " and eps and rate above 0."
            )
        if self.schedule == "noam" and self.warmup == 0:
            raise ConfigError("schedule=noam needs warmup of at least 1. The paper uses 4000.")
        if self.schedule in ("linear", "cosine") and self.warmup >= self.max_updates:
            raise ConfigError(
                f"warmup={self.warmup} must be below max_updates={self.max_updates} for"
                f" schedule={self.schedule}. Lower warmup."
            )
