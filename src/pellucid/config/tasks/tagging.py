"""Settings of tagging."""

from dataclasses import dataclass
from typing import Literal

from pellucid.config.baselines import BASELINES
from pellucid.config.checks import check_fraction
from pellucid.config.columns import Column
from pellucid.config.model import ModelConfig
from pellucid.config.tasks.base import LOSS, ClassWeights, Defaults
from pellucid.config.tasks.encoders import ENCODER_SIZES, LabelingConfig, labeled_defaults
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TaggingConfig(LabelingConfig):
    """Tagging: predict a label for each word, such as a named entity or part of speech.

    The label of a word is predicted at its first token (Devlin et al. 2019, section 5.3).
    """

    name = "tagging"
    columns = (
        Column("words", "words", ("tokens", "text", "sentence"), tokenizer="source"),
        Column("tags", "tags", ("labels", "ner_tags", "pos_tags", "ner", "pos")),
    )
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "accuracy": "higher",
        "precision": "higher",
        "recall": "higher",
        "f1": "higher",
    }
    best_by = "f1"
    has_errors = has_picture = has_intervals = True
    example_files = ("my.conll",)
    sizes = (*ENCODER_SIZES, "electra-small", "bilstm", "hmm")

    head: Literal["linear", "crf"] = "linear"
    """linear: predict each label independently. crf: predict the best sequence of labels (Lafferty
    et al. 2001); such a model is saved in pellucid's own layout."""
    class_weights: ClassWeights = "none"
    """balanced: in training, weight each label by the inverse of its frequency."""
    dropout: float = 0.1
    """Dropout on the input of the head."""

    def __post_init__(self) -> None:
        check_fraction(self, "dropout")
        if self.class_weights != "none" and self.head == "crf":
            raise ConfigError(
                "class_weights=balanced weights single labels, but head=crf scores whole sequences."
                " Use head=linear, or class_weights=none."
            )

    @classmethod
    def model_class(cls, size: str) -> type:
        return BASELINES.get(size, ModelConfig)

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} tagger".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return ("pellucid tag {run} < FILE", "pellucid evaluate {run} --data FILE.conll")

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        return labeled_defaults(n_examples)
