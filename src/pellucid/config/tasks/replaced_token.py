"""Settings of replaced token detection."""

from dataclasses import dataclass

from pellucid.config.checks import check_at_least
from pellucid.config.tasks.base import LOSS, Defaults
from pellucid.config.tasks.encoders import ADAMW
from pellucid.config.tasks.masking import MaskingConfig
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ReplacedTokenConfig(MaskingConfig):
    """Replaced token detection (Clark et al. 2020; ELECTRA).

    A small generator fills in masked tokens, and the discriminator, which is the finished model,
    predicts for each token whether the generator has replaced it.
    """

    name = "replaced_token"
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "generator_loss": "lower",
        "generator_accuracy": "higher",
        "discriminator_loss": "lower",
        "accuracy": "higher",
        "precision": "higher",
        "recall": "higher",
    }
    best_by = "generator_loss"  # the total rises when a better generator is harder to detect
    sizes = ("electra-tiny", "electra-mini", "electra-small", "electra-base", "electra-large")

    masked: float = 1.0
    """Fraction of these tokens to replace with the mask token, for the generator."""
    random: float = 0.0
    """Fraction of these tokens to replace with a random token, for the generator."""
    generator_size: float = 0.25
    """Width of the generator's layers as a fraction of the discriminator's. The paper has 1/4 for
    small and large, 1/3 for base (appendix A)."""
    discriminator_weight: float = 50.0
    """Weight of the discriminator's loss; the generator's has weight 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(0, self, "discriminator_weight")
        if not 0 < self.generator_size <= 1:
            raise ConfigError(
                f"generator_size={self.generator_size} is a fraction of the discriminator's width:"
                " use more than 0 and at most 1. The paper's values are 0.25 and 0.33."
            )

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "pellucid train --task tagging --start-from {run} --data.train FILE.conll",
            "pellucid fill {run}/generator < FILE",
            "pellucid evaluate {run}/generator --data FILE",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        large = n_examples > 200_000
        small = "electra-mini" if on_cpu else "electra-small"
        return Defaults(
            size=small if large else "electra-tiny",
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
                "training": {**ADAMW, "warmup": 500},
            },
        )
