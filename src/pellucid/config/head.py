"""Settings of the heads of a model."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.checks import check_at_least, check_fraction
from pellucid.errors import ConfigError

MAX_OUTPUTS = 10_000_000
Pool = Literal["first", "last", "end", "mean", "max"]
Problem = Literal["", "single_label", "multi_label", "regression"]


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Settings of a head: transform, activation, norm and output, each optional."""

    kind: Literal["lm", "token", "sequence", "score"]
    """lm: a score per vocabulary entry. token: outputs per token. sequence: outputs per text.
    score: one number per token, without an axis of outputs."""
    outputs: int = 0
    """Number of labels. Kind lm ignores it; kind sequence with 0 returns the transformed state."""
    activation: Literal["", "relu", "gelu", "gelu-tanh", "swish", "tanh"] = ""
    """If set, a square linear map and this activation precede the output."""
    norm: bool = False
    """Apply a norm after the activation."""
    bias: bool = True
    """Whether the output has a bias."""
    scale: float = 1.0
    """Factor on the states before the output."""
    pool: Pool = "first"
    """State that represents the text: that of the first token, of the last real one, or of the last
    end token; or the mean or the maximum of the states of all real tokens."""
    labels: tuple[str, ...] = ()
    """Names of the outputs."""
    problem: Problem = ""
    """How outputs of kind sequence are read. single_label: a softmax over the labels. multi_label:
    a sigmoid for each label. regression: numbers. Empty: regression for one output, otherwise
    single_label, as in transformers."""
    input_dropout: float = 0.0
    """Dropout on the states before the transform."""
    dropout: float = 0.0
    """Dropout on the input of the output map."""
    crf: bool = False
    """Predict the labels of a sentence jointly, with a conditional random field (kind token)."""

    def __post_init__(self) -> None:
        check_at_least(0, self, "outputs")
        check_fraction(self, "input_dropout", "dropout")
        if self.outputs > MAX_OUTPUTS:
            raise ConfigError(f"outputs={self.outputs} is above {MAX_OUTPUTS}. Use less.")
        if self.labels and len(self.labels) != self.outputs:
            raise ConfigError(
                f"{len(self.labels)} labels for outputs={self.outputs}. Give one per output, or"
                " none."
            )
        if self.kind == "token" and not self.outputs:
            raise ConfigError("a head of kind token needs outputs, the number of labels.")
        if self.kind == "score" and self.outputs != 1:
            raise ConfigError(
                f"outputs={self.outputs}, but a head of kind score gives one number per token. Set"
                " outputs=1, or kind=token."
            )
        if self.crf and self.kind != "token":
            raise ConfigError(
                f"crf=true predicts one label per token, but this is a head of kind {self.kind}."
                " Set kind=token, or crf=false."
            )
        if self.norm and not self.activation:
            raise ConfigError("norm=true needs an activation before it. Set one, or norm=false.")

    @property
    def predicts(self) -> bool:
        """Whether the outputs are predictions, and not a transformed state."""
        return bool(self.outputs) or self.kind == "lm"

    @property
    def reading(self) -> Problem:
        """How the outputs are read: `problem`, or what it is if empty."""
        return self.problem or ("regression" if self.outputs == 1 else "single_label")

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the outputs; LABEL_0 and so on without `labels`, as in transformers."""
        return self.labels or tuple(f"LABEL_{i}" for i in range(self.outputs))


LANGUAGE_MODEL = HeadConfig(kind="lm", bias=False)
"""States times the embedding (Vaswani et al. 2017, section 3.4)."""
