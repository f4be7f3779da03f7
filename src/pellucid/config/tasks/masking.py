"""What objectives that hide tokens have in common."""

from dataclasses import dataclass

from pellucid.config.checks import check_fraction
from pellucid.config.columns import Column
from pellucid.config.tasks.base import TaskConfig
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MaskingConfig(TaskConfig):
    """Settings of masking. It is dynamic: epochs differ (Liu et al. 2019, section 4.1)."""

    columns = (Column("text", "document", ("document", "sentence", "content"), tokenizer="source"),)
    example_files = ("my.txt",)

    chosen: float = 0.15
    """Fraction of tokens to predict."""
    masked: float = 0.8
    """Fraction of these tokens to replace with the mask token."""
    random: float = 0.1
    """Fraction of these tokens to replace with a random token; the rest is not changed."""
    whole_words: bool = False
    """Choose all tokens of a word or none (released code of BERT, "whole word masking")."""

    def __post_init__(self) -> None:
        check_fraction(self, "chosen")
        if not self.chosen:
            raise ConfigError("chosen=0 leaves nothing to predict. The paper's value is 0.15.")
        if self.masked < 0 or self.random < 0 or self.masked + self.random > 1:
            raise ConfigError(
                f"masked={self.masked} and random={self.random} are fractions of the chosen tokens:"
                " neither may be below 0, nor their sum above 1."
            )
