"""What a head predicts from a model's states."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import at_least, fraction
from pellucid.errors import ConfigError

MOST_OUTPUTS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """One head. Its parts in order: transform, activation, norm, output; each may be absent."""

    kind: Literal["lm", "token", "sequence", "score"]
    """A score for each word of the vocabulary, outputs for each token, outputs for the whole text,
    or one number a token, without an axis of outputs."""
    outputs: int = 0
    """Labels. Of kind lm the vocabulary counts; 0 of kind sequence gives the transformed state."""
    activation: Literal["", "relu", "gelu", "gelu-tanh", "swish", "tanh"] = ""
    """With one, a square linear map and this activation come before the output."""
    norm: bool = False
    """A norm after that activation."""
    bias: bool = True
    """Whether the output adds a bias."""
    scale: float = 1.0
    """What the states are multiplied by before the output."""
    pool: Literal["first", "last", "end"] = "first"
    """Whose state stands for the whole text: the first token, the last real one, or the last end
    token."""
    labels: tuple[str, ...] = ()
    """What the outputs are called."""
    input_dropout: float = 0.0
    """On the states, before the transform."""
    dropout: float = 0.0
    """On what the output reads."""
    crf: bool = False
    """Choose the labels of a sentence's words together, by a conditional random field over them
    (kind token)."""

    def __post_init__(self) -> None:
        at_least(0, self, "outputs")
        fraction(self, "input_dropout", "dropout")
        if self.outputs > MOST_OUTPUTS:
            raise ConfigError(f"outputs={self.outputs} is beyond {MOST_OUTPUTS}. Use less.")
        if self.labels and len(self.labels) != self.outputs:
            raise ConfigError(
                f"{len(self.labels)} labels for outputs={self.outputs}. Give one a label, or none."
            )
        if self.kind == "token" and not self.outputs:
            raise ConfigError("a head of kind token needs outputs: how many numbers a token gets.")
        if self.kind == "score" and self.outputs != 1:
            raise ConfigError(
                f"outputs={self.outputs}, but a head of kind score gives one number a token. Set"
                " outputs=1, or kind=token."
            )
        if self.crf and self.kind != "token":
            raise ConfigError(
                f"crf=true chooses the labels of a sentence's words together, but a head of kind"
                f" {self.kind} has none. Set kind=token, or crf=false."
            )
        if self.norm and not self.activation:
            raise ConfigError("norm=true stands behind an activation. Set one, or norm=false.")


LANGUAGE_MODEL = HeadConfig(kind="lm", bias=False)
"""States times the embedding (Vaswani et al. 2017, section 3.4)."""
