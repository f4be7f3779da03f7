"""The base class of the settings of a task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.config.embedding import EmbeddingConfig
from pellucid.config.head import HeadConfig
from pellucid.config.model import ModelConfig

Direction = Literal["lower", "higher"]
"""Which values of a metric are better."""
ClassWeights = Literal["none", "balanced"]
"""balanced: the weight of a label is inversely proportional to its number of occurrences."""
LOSS: Mapping[str, Direction] = {"loss": "lower"}


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """Default settings of a task for some data and a machine."""

    size: str
    epochs: int
    tokens_per_example: int
    """Estimate of the tokens per example in a batch, padding included."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By section, as in a config file."""


@dataclass(frozen=True, kw_only=True)
class TaskConfig(ABC):
    """Settings of a task. Class attributes define its data and metrics."""

    name: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    """Columns of its data, in this order."""
    metrics: ClassVar[Mapping[str, Direction]] = LOSS
    """Metrics of the task -> which values are better."""
    best_by: ClassVar[str] = "loss"
    """Default metric that selects the best checkpoint."""
    example_files: ClassVar[tuple[str, ...]]
    """Names of training files in messages and the config template."""
    sizes: ClassVar[tuple[str, ...]]
    """Model sizes that the task supports."""
    uses_languages: ClassVar[bool] = False
    """Whether `data.languages` are those of its texts."""
    has_errors: ClassVar[bool] = False
    """Whether an evaluation can list wrong examples."""
    has_picture: ClassVar[bool] = False
    """Whether an evaluation can be drawn: as classes, or as gold and predicted numbers."""
    has_intervals: ClassVar[bool] = False
    """Whether metrics follow from examples, so that they have confidence intervals and two models
    can be compared."""
    fine_tuning: ClassVar[Mapping[str, Any]] = {}
    """Training settings with `start_from` that differ from those in `fine_tuning.py`."""

    @classmethod
    def of_model(cls, heads: Mapping[str, HeadConfig], embedding: EmbeddingConfig) -> Self:
        """Return the settings of a finished model, as far as they matter for its metrics."""
        return cls()

    def columns_for(self, data: DataConfig) -> tuple[Column, ...]:
        """Return the columns to read with these data settings."""
        return self.columns

    follows_teacher: ClassVar[bool] = False
    """Whether the model has its teacher's tokenizer and, without `size`, half of its layers."""
    has_model: ClassVar[bool] = True
    """Whether the result is a model that `load` opens; otherwise it is word vectors."""

    @property
    def available_metrics(self) -> Mapping[str, Direction]:
        """The metrics that `validate` returns with these settings."""
        return self.metrics

    @property
    def teacher_models(self) -> tuple[str, ...]:
        """The names of finished models whose predictions are learned."""
        return ()

    @property
    def vector_files(self) -> Mapping[str, str]:
        """Files of word vectors to initialize embeddings with, by stack (encoder, decoder)."""
        return {}

    def extra_tokens(
        self, labels: Mapping[str, tuple[str, ...]], data: DataConfig
    ) -> tuple[str, ...]:
        """Return special tokens of a new tokenizer that the family does not have.

        labels: the labels of each column that has some.
        """
        return ()

    @classmethod
    def model_class(cls, size: str) -> type:
        """Return the class of the model config for a size."""
        return ModelConfig

    def title(self, source_language: str, target_language: str) -> str:
        """Return the title of a model card; languages are "" if unknown."""
        return f"{self.name} model"

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        """Return commands that use a finished model; {run} is replaced by its directory."""
        return ("pellucid evaluate {run} --data FILE",)

    @classmethod
    @abstractmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        """Return default settings for a number of training examples.

        With `start_from`, `fine_tuning.py` has the settings of training instead.
        """
