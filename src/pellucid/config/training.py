"""How a model is trained: batches, rate, loss, precision, and what is kept."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least, check_at_most, check_fraction
from pellucid.errors import ConfigError

# More cannot be meant: it would take the machine down before an error could be shown.
MOST = {"accumulate": 65_536, "workers": 64, "threads": 1024}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One training run. Defaults follow Vaswani et al. 2017, section 5, on one small machine."""

    seed: int = 1
    max_updates: int = 100_000
    max_tokens: int = 4096
    """Padded tokens in a micro-batch, counted on its longer side."""
    accumulate: int = 1
    """Micro-batches in an update, over all processes: 2 processes each take half of them."""

    optimizer: Literal["adam", "adamw"] = "adam"
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-9
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    """Largest norm of the gradient; 0 leaves it as it is."""

    schedule: Literal["noam", "inverse-sqrt", "linear", "cosine", "constant"] = "noam"
    warmup: int = 4000
    """Updates of linear warm-up."""
    rate: float = 1.0
    """The peak rate; for `noam`, a factor on the paper's formula."""

    precision: Literal["fp32", "bf16", "auto"] = "auto"
    """bf16: matrix products in 16 bits; `auto` measures once per machine which one is faster."""
    compile: bool = False
    """Compile the model by torch.compile; for GPUs."""

    ema: float = 0.0
    """Decay of an exponential moving average of the weights, validated and kept in their place."""
    average: int = 1
    """The final model is the mean of this many last checkpoints."""

    validate_every: int = 1000
    patience: int = 0
    """Stop after this many validations without a better score; 0 never stops early."""
    best_by: str = ""
    """The validation metric that chooses the best checkpoint; empty means the task's own choice."""
    checkpoint_every: int = 1000
    keep: int = 1
    """Checkpoints kept on disk; never fewer than `average`."""
    log_every: int = 50
    workers: int = 0
    """Processes that prepare batches; 0 prepares them in the trainer's own."""
    threads: int = 0
    """CPU threads of one process; 0 takes every core. Another number gives other last bits."""
    tensorboard: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "max_updates", "max_tokens", "accumulate", "average", "keep")
        check_at_least(1, self, "validate_every", "checkpoint_every", "log_every")
        check_at_least(0, self, "seed", "weight_decay", "clip_norm", "warmup", "patience")
        check_at_least(0, self, "workers", "threads")
        check_at_most(MOST, self)
        check_fraction(self, "ema")
        if not (all(0 <= beta < 1 for beta in self.betas) and self.eps > 0 and self.rate > 0):
            raise ConfigError(
                f"betas={self.betas}, eps={self.eps}, rate={self.rate}: betas must be in [0, 1),"
                " eps and rate above 0."
            )
        if self.schedule == "noam" and self.warmup == 0:
            raise ConfigError("schedule noam needs warmup of at least 1. The paper's is 4000.")
        if self.schedule in ("linear", "cosine") and self.warmup >= self.max_updates:
            raise ConfigError(
                f"warmup={self.warmup} leaves no update of max_updates={self.max_updates} to"
                f" schedule {self.schedule}. Lower warmup."
            )
