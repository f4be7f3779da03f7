"""What the settings of every task declare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pellucid.config.columns import Column
from pellucid.config.model import ModelConfig

Direction = Literal["lower", "higher"]
"""Which values of a metric are better."""
LOSS: Mapping[str, Direction] = {"loss": "lower"}


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """Settings that a task chooses for its data and machine; what the user sets wins."""

    size: str
    epochs: int
    tokens_per_example: int
    """About how many tokens a batch takes for one example, padding included."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By section, as in a config file."""


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Settings of one task. Its class attributes say what it reads and how it is judged."""

    name: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    """What it reads, in this order."""
    metrics: ClassVar[Mapping[str, Direction]] = LOSS
    """What `validate` returns, and which values are better."""
    best_by: ClassVar[str] = "loss"
    """The metric that chooses the best checkpoint, unless `training.best_by` names another."""
    example_files: ClassVar[tuple[str, ...]]
    """What its training files may be called."""
    sizes: ClassVar[tuple[str, ...]]
    """Names of the model sizes that it can build."""

    @property
    def vector_files(self) -> Mapping[str, str]:
        """Files of word vectors that embeddings begin with, by stack: encoder or decoder."""
        return {}

    @classmethod
    def model_class(cls, size: str) -> type:
        """The class of the model's settings at a size."""
        return ModelConfig

    def title(self, source_language: str, target_language: str) -> str:
        """What a finished model is called on its card; languages are "" if unknown."""
        return f"{self.name} model"

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        """Commands that use a finished model; {run} is replaced by its directory."""
        return ("pellucid evaluate {run} --data FILE",)

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool, start_from: bool) -> Defaults:
        """Settings for this many training examples.

        start_from: whether training begins from a finished model, so that the size is given.
        """
        raise NotImplementedError
