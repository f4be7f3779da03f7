"""Settings of classification."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pellucid.config.baselines import BASELINES
from pellucid.config.checks import check_at_least
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
    has_errors = has_picture = True
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

    def __post_init__(self) -> None:
        check_at_least(0, self, "r_drop")
        if self.multi_label:  # another kind of column, but the same task
            labels = Column("labels", "labels", ("label", *LABEL_NAMES))
            object.__setattr__(self, "columns", (FIRST_TEXT, SECOND_TEXT, labels))

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
