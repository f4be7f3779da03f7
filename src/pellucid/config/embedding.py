"""Settings of sentence vectors."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least

Pooling = Literal["mean", "first", "max"]


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """How the states of a text's tokens, special tokens among them, become its vector."""

    pooling: Pooling = "mean"
    """Mean of the real tokens' states, the first token's state, or the maximum of each entry."""
    normalize: bool = False
    """Divide by the norm, so that the dot product of two vectors is their cosine."""
    longest: int = 0
    """Tokens after which a text is cut, special ones counted; 0 means the model's own limit."""
    prompt: str = ""
    """Text put before each text, such as "query: "."""
    pool_prompt: bool = True
    """Whether the prompt's tokens are pooled with the text's; the model reads them in any case."""
    lowercase: bool = False
    """Write each text in lower case before it is split into tokens."""
    batch_size: int = 64

    def __post_init__(self) -> None:
        check_at_least(0, self, "longest")
        check_at_least(1, self, "batch_size")
