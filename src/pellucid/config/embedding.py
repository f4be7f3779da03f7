"""Settings of sentence embeddings."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least

Pooling = Literal["mean", "first", "max"]


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """How the states of a text's tokens, including special tokens, are pooled to one vector."""

    pooling: Pooling = "mean"
    """Mean of the real tokens' states, the first token's state, or the maximum of each entry."""
    normalize: bool = False
    """Divide by the norm, so that the dot product of two vectors is their cosine."""
    longest: int = 0
    """Maximum tokens of a text, including special tokens; longer texts are cut. 0 means the model's
    limit."""
    prompt: str = ""
    """Text to add before each text, such as "query: "."""
    pool_prompt: bool = True
    """Whether to include the tokens of the prompt in the pooling."""
    lowercase: bool = False
    """Convert each text to lower case before tokenization."""
    batch_size: int = 64

    def __post_init__(self) -> None:
        check_at_least(0, self, "longest")
        check_at_least(1, self, "batch_size")
