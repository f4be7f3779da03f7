"""Settings of masked language modeling."""

from dataclasses import dataclass

from pellucid.config.checks import check_fraction
from pellucid.config.columns import Column
from pellucid.config.tasks.base import LOSS, Defaults, TaskConfig
from pellucid.config.tasks.encoders import ADAMW, ENCODER_SIZES
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MaskedLMConfig(TaskConfig):
    """Masked language modeling: predict masked tokens (Devlin et al. 2019).

    Masking is dynamic: it differs between epochs (Liu et al. 2019, section 4.1).
    """

    name = "masked_lm"
    columns = (Column("text", "document", ("document", "sentence", "content"), tokenizer="source"),)
    metrics = {**LOSS, "perplexity": "lower", "accuracy": "higher"}  # noqa: RUF012 (never changed)
    example_files = ("my.txt",)
    sizes = ENCODER_SIZES

    chosen: float = 0.15
    """Fraction of tokens to predict."""
    masked: float = 0.8
    """Fraction of these tokens to replace with the mask token."""
    random: float = 0.1
    """Fraction of these tokens to replace with a random token; the rest is not changed."""

    def __post_init__(self) -> None:
        check_fraction(self, "chosen")
        if not self.chosen:
            raise ConfigError("chosen=0 leaves nothing to predict. The paper's value is 0.15.")
        if self.masked < 0 or self.random < 0 or self.masked + self.random > 1:
            raise ConfigError(
                f"masked={self.masked} and random={self.random} are fractions of the chosen tokens:"
                " neither may be below 0, nor their sum above 1."
            )

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "pellucid fill {run} < FILE",
            "pellucid evaluate {run} --data FILE",
            "pellucid train --task tagging --start-from {run} --data.train FILE.conll",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        large = n_examples > 200_000
        return Defaults(
            size="bert-small" if large and not on_cpu else "bert-mini" if large else "bert-tiny",
            epochs=20,
            tokens_per_example=32,
            settings={
                "tokenizer": {
                    "kind": "wordpiece",
                    "lowercase": True,
                    "normalize": "nfkc",
                    "vocab_size": 30_000 if large else 8_000,
                },
                "data": {"max_length": 128},
                "training": {
                    **ADAMW,
                    "warmup": 500,
                },
            },
        )
