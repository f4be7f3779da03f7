"""Settings of classification."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pellucid.config.baselines import BASELINES
from pellucid.config.checks import check_at_least, check_at_most, check_fraction
from pellucid.config.columns import Column
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig
from pellucid.config.tasks.base import LOSS, ClassWeights, Defaults
from pellucid.config.tasks.encoders import (
    ENCODER_SIZES,
    FIRST_TEXT,
    SECOND_TEXT,
    LabelingConfig,
    labeled_defaults,
)
from pellucid.errors import ConfigError

MAXIMA = {"teacher_share": 1, "spans": 1000}
LABEL_NAMES = ("class", "category", "sentiment", "intent", "gold_label")


@dataclass(frozen=True, kw_only=True)
class ClassificationConfig(LabelingConfig):
    """Classification: predict the label, or any number of labels, of a text or of a pair of texts.

    Labels are predicted from the state of the first token (Devlin et al. 2019, section 4.1).
    """

    name = "classification"
    columns = (
        FIRST_TEXT,
        SECOND_TEXT,
        Column("label", "label", ("labels", *LABEL_NAMES)),
    )
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "accuracy": "higher",
        "macro_f1": "higher",
        "micro_f1": "higher",
        "mcc": "higher",
    }
    best_by = "accuracy"
    has_errors = has_picture = has_intervals = True
    example_files = ("my.tsv",)
    sizes = (*ENCODER_SIZES, "electra-small", "bag-of-words", "text-cnn", "bilstm")

    class_weights: ClassWeights = "none"
    """balanced: in training, weight each label by the inverse of its frequency; with multi_label,
    texts with a label and texts without it."""
    multi_label: bool = False
    """Predict any number of labels per text, each with its own probability. Column `labels` then
    holds labels separated by commas, or a JSON list."""
    r_drop: float = 0.0
    """Weight of R-Drop (Liang et al. 2021; alpha there, 0.1 to 1 for BERT): each batch is read
    twice, with different dropout, and the divergence of both predictions is added to the loss."""
    pool: Literal["auto", "first", "mean", "max"] = "auto"
    """The state that represents a text: that of its first token, or the mean or the maximum of the
    states of all. auto: the usual one of the model's family."""
    word_dropout: float = 0.0
    """Share of the pieces that become the unknown token in training, drawn for each batch (after
    Iyyer et al. 2015, who use 0.3)."""
    teachers: tuple[str, ...] = ()
    """Trained classifiers with the same labels and tokenizer, whose mean probabilities are a second
    target (Hinton et al. 2015): directories, runs or hf://owner/name."""
    teacher_share: float = 0.5
    """Weight of the cross-entropy with the teachers; that with the labels has the rest."""
    temperature: float = 1.0
    """Logits of student and teachers are divided by it before they are compared."""
    spans: int = 0
    """Random spans of each text that are added to its batch, for which only the teachers are the
    target (after Tang et al. 2019)."""

    def __post_init__(self) -> None:
        check_at_least(0, self, "r_drop", "teacher_share", "spans")
        check_fraction(self, "word_dropout")
        check_at_most(MAXIMA, self)
        if not self.temperature > 0:
            raise ConfigError(f"temperature={self.temperature} must be above 0. Usual is 1 to 5.")
        if self.spans and not self.teachers:
            raise ConfigError(f"spans={self.spans}, but only teachers label them. Name teachers.")
        if self.r_drop and self.teachers:
            raise ConfigError("r_drop and teachers are not combined. Leave one of them out.")
        if self.multi_label:  # another kind of column, but the same task
            labels = Column("labels", "labels", ("label", *LABEL_NAMES))
            object.__setattr__(self, "columns", (FIRST_TEXT, SECOND_TEXT, labels))

    @property
    def teacher_models(self) -> tuple[str, ...]:
        return self.teachers

    @classmethod
    def model_class(cls, size: str) -> type:
        return BASELINES.get(size, ModelConfig)

    @classmethod
    def of_model(cls, heads: Mapping[str, HeadConfig], embedding: EmbeddingConfig) -> Self:
        reading = {head.reading for head in heads.values() if head.kind == "sequence"}
        return cls(multi_label="multi_label" in reading)

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} text classifier".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return ("pellucid classify {run} < FILE", "pellucid evaluate {run} --data FILE.tsv")

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        return labeled_defaults(n_examples)
