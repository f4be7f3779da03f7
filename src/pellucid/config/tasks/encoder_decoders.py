"""What tasks on encoder-decoders have in common."""

from dataclasses import dataclass
from typing import Any

from pellucid.config.checks import check_at_least, check_fraction
from pellucid.config.rnn import RNNConfig
from pellucid.config.tasks.base import TaskConfig
from pellucid.config.tasks.encoders import ADAMW

TRANSFORMER_SIZES = ("tiny", "small", "base", "big")
BART_SIZES = ("bart-tiny", "bart-mini", "bart-base", "bart-large")
MBART_SIZES = ("mbart-tiny", "mbart-mini", "mbart-large")
T5_SIZES = ("t5-efficient-tiny", "t5-efficient-mini", "t5-small", "t5-base", "t5-large")
PRETRAINING: dict[str, Any] = {**ADAMW, "rate": 1e-3, "schedule": "inverse-sqrt", "warmup": 500}
"""Training settings of pretraining, with a rate for small models."""


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig(TaskConfig):
    """Settings of a task that trains an encoder-decoder."""

    label_smoothing: float = 0.0
    """Fraction of the target's probability to distribute over the vocabulary."""
    r_drop: float = 0.0
    """Weight of R-Drop (Liang et al. 2021; alpha there, 5 for translation): each batch is read
    twice, with different dropout, and the divergence of both predictions is added to the loss."""

    def __post_init__(self) -> None:
        check_fraction(self, "label_smoothing")
        check_at_least(0, self, "r_drop")

    @classmethod
    def model_class(cls, size: str) -> type:
        return RNNConfig if size == "rnn" else super().model_class(size)
