"""Settings of training: batches, optimizer, learning rate, precision and checkpoints."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least, check_at_most, check_fraction
from pellucid.config.pairs import PARTNERS, check_pairs
from pellucid.errors import ConfigError

# Larger values are mistakes that would exhaust the machine before an error could be shown.
MAXIMA = {
    "accumulate": 65_536,
    "workers": 64,
    "threads": 1024,
    "epochs": 1_000_000,
    "batch_examples": 1_000_000,
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of training. Defaults follow Vaswani et al. 2017, section 5, on a small machine."""

    seed: int = 1
    max_updates: int = 100_000
    """Updates of the run; 0 if `epochs` says how long to train."""
    epochs: float = 0.0
    """Passes over the training examples, instead of max_updates; 0 means that max_updates counts.
    """
    max_tokens: int = 4096
    """Maximum tokens per micro-batch, padding included, on the longer of source and target; 0 if
    batch_examples is set."""
    batch_examples: int = 0
    """Examples per micro-batch, instead of max_tokens; 0 means that max_tokens counts."""
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
    """Updates between validations; 0 means twice an epoch, but after at least 25 updates."""
    patience: int = 0
    """Stop after this many validations without improvement; 0 means no early stopping."""
    best_by: str = ""
    """Validation metric that selects the best checkpoint; empty means the task's default."""
    checkpoint_every: int = 1000
    """Updates between checkpoints; 0 means at each validation."""
    keep: int = 1
    """Number of checkpoints to keep on disk; at least `average` are kept."""
    log_every: int = 50
    workers: int = 0
    """Number of processes that prepare batches; 0 means the training process prepares them."""
    threads: int = 0
    """CPU threads per process; 0 means all cores. Results depend on it in the last bits."""
    tensorboard: bool = False
    """Write metrics for TensorBoard into the run directory; needs `pellucid[track]`."""
    wandb: bool = False
    """Write metrics for Weights & Biases into the run directory, offline unless WANDB_MODE says
    otherwise; needs `pellucid[track]`."""

    def __post_init__(self) -> None:
        check_at_least(1, self, "accumulate", "average", "keep", "log_every")
        check_at_least(0, self, "seed", "weight_decay", "clip_norm", "warmup", "patience")
        check_at_least(0, self, "workers", "threads", "validate_every", "checkpoint_every")
        check_at_least(0, self, *PARTNERS)
        check_pairs(vars(self))
        check_at_most(MAXIMA, self)
        check_fraction(self, "ema")
        if not (all(0 <= beta < 1 for beta in self.betas) and self.eps > 0 and self.rate > 0):
            raise ConfigError(
                f"betas={self.betas}, eps={self.eps}, rate={self.rate}: betas must be in [0, 1),"
                " and eps and rate above 0."
            )
        if self.schedule == "noam" and self.warmup == 0:
            raise ConfigError("schedule=noam needs warmup of at least 1. The paper uses 4000.")
        looks_ahead = self.schedule in ("linear", "cosine") and self.max_updates
        if looks_ahead and self.warmup >= self.max_updates:
            raise ConfigError(
                f"warmup={self.warmup} must be below max_updates={self.max_updates} for"
                f" schedule={self.schedule}. Lower warmup."
            )
