"""Settings of distillation."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least
from pellucid.config.tasks.base import LOSS, Defaults
from pellucid.config.tasks.encoders import ADAMW, ENCODER_SIZES
from pellucid.config.tasks.masking import MaskingConfig
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(MaskingConfig):
    """Distillation of a masked language model into a smaller one (Sanh et al. 2019; DistilBERT).

    The weights of the losses are those of the released recipe of DistilBERT.
    """

    name = "distillation"
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "perplexity": "lower",
        "accuracy": "higher",
        "agreement": "higher",
    }
    sizes = ENCODER_SIZES
    follows_teacher = True

    teacher: str = ""
    """The masked language model to learn from: a directory, a run or hf://owner/name. The student
    gets its tokenizer. Without `size` and `start_from`, the student is the teacher with half of its
    layers."""
    initialize: Literal["teacher", "random"] = "teacher"
    """teacher: start with the teacher's embeddings and with evenly spaced layers, such as every
    second one. random: start with random weights. With `start_from`, neither."""
    temperature: float = 2.0
    """Both models' logits are divided by it before their distributions are compared."""
    soft_weight: float = 5.0
    """Weight of the divergence from the teacher's distribution at every token."""
    masked_weight: float = 2.0
    """Weight of the cross-entropy of the hidden tokens."""
    cosine_weight: float = 1.0
    """Weight of the cosine distance between the last states of both models."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(0, self, "soft_weight", "masked_weight", "cosine_weight")
        if not (self.soft_weight or self.masked_weight or self.cosine_weight):
            raise ConfigError("all weights are 0: nothing is learned. The recipe has 5, 2 and 1.")
        if not self.temperature > 0:
            raise ConfigError(f"temperature={self.temperature} must be above 0. Usual is 2.")

    @property
    def teacher_models(self) -> tuple[str, ...]:
        return (self.teacher,) if self.teacher else ()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "pellucid fill {run} < FILE",
            "pellucid evaluate {run} --data FILE",
            "pellucid train --task tagging --start-from {run} --data.train FILE.conll",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        return Defaults(
            size="distilbert-base",
            epochs=20,
            tokens_per_example=32,
            settings={
                "data": {"max_length": 128},
                "training": {**ADAMW, "warmup": 500},
            },
        )
