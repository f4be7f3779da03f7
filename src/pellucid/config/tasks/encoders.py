"""What tasks on encoders have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.config.columns import Column
from pellucid.config.tasks.base import Defaults, TaskConfig

FIRST_TEXT = Column(
    "text", "text", ("sentence", "sentence1", "text1", "premise", "question1"), tokenizer="source"
)
SECOND_TEXT = Column(
    "second",
    "text",
    ("sentence2", "text2", "hypothesis", "question2"),
    optional=True,
    tokenizer="source",
)
"""The columns of one text, or of a pair."""
ENCODER_SIZES = (
    *(f"bert-{size}" for size in ("tiny", "mini", "small", "medium", "base", "large")),
    *("roberta-base", "roberta-large", "distilbert-base"),
    *("albert-tiny", "albert-mini", "albert-base"),
)
ADAMW: dict[str, Any] = {
    "optimizer": "adamw",
    "betas": (0.9, 0.999),
    "eps": 1e-6,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "schedule": "linear",
    "rate": 5e-4,
    "average": 1,
}
"""The optimizer of BERT (Devlin et al. 2019, appendix A.2), with a rate for small encoders."""


@dataclass(frozen=True, kw_only=True)
class LabelingConfig(TaskConfig):
    """Settings of the tasks that label texts or words."""

    vectors: str = ""
    """Word vectors to initialize the embedding with: a text file in word2vec or GloVe format, also
    gzipped."""

    @property
    def vector_files(self) -> Mapping[str, str]:
        return {"encoder": self.vectors} if self.vectors else {}


def labeled_defaults(n_examples: int) -> Defaults:
    """Return the default settings of a task that trains an encoder on labels, from scratch."""
    return Defaults(
        size="bert-tiny" if n_examples < 5_000 else "bert-mini",
        epochs=20,
        tokens_per_example=32,
        settings={
            "tokenizer": {"kind": "wordpiece", "vocab_size": 8_000, "normalize": "nfkc"},
            "data": {"max_length": 128},
            "training": {"max_tokens": 2048, **ADAMW, "warmup": 200, "patience": 5},
        },
    )
