"""Settings of a skip-gram model's architecture."""

from dataclasses import dataclass

from pellucid.config.baselines import BaselineShape


@dataclass(frozen=True, kw_only=True)
class SkipGramConfig(BaselineShape):
    """A skip-gram model: two vectors for each word (Mikolov et al. 2013)."""

    vocab_size: int = 0
    """Number of words; 0 means the tokenizer's size."""
    d_model: int = 100
    """Width of the vectors."""

    kind = "skip-gram model"
    n_encoder_layers = 0
    dropout = 0.0

    def __post_init__(self) -> None:
        self.check()

    @property
    def embedding_width(self) -> int:
        """Width of the vectors."""
        return self.d_model
