"""Settings of similarity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

from pellucid.config.columns import Column
from pellucid.config.embedding import EmbeddingConfig, Pooling
from pellucid.config.head import HeadConfig
from pellucid.config.tasks.base import LOSS, Defaults, TaskConfig
from pellucid.config.tasks.encoders import ENCODER_SIZES, FIRST_TEXT, SECOND_TEXT, labeled_defaults


@dataclass(frozen=True, kw_only=True)
class SimilarityConfig(TaskConfig):
    """Similarity: predict how similar two texts are, a number."""

    name = "similarity"
    columns = (
        FIRST_TEXT,
        replace(SECOND_TEXT, optional=False),
        Column("score", "score", ("similarity", "similarity_score", "label")),
    )
    metrics = {**LOSS, "pearson": "higher", "spearman": "higher"}  # noqa: RUF012 (never changed)
    best_by = "spearman"
    has_errors = has_picture = has_intervals = True
    example_files = ("my.tsv",)
    sizes = (*ENCODER_SIZES, "electra-small")

    head: Literal["cosine", "regression"] = "cosine"
    """cosine: encode each text separately; the similarity is the cosine of the two embeddings
    (Reimers and Gurevych 2019), so that texts can be searched. regression: read both texts
    together and predict the score (Devlin et al. 2019); slower and often more accurate."""
    pooling: Pooling = "mean"
    """How the states of a text become its embedding (head: cosine)."""

    @classmethod
    def of_model(cls, heads: Mapping[str, HeadConfig], embedding: EmbeddingConfig) -> Self:
        classifier = heads.get("classifier")
        is_regression = classifier is not None and classifier.reading == "regression"
        head = "regression" if is_regression else "cosine"
        return cls(head=head, pooling=embedding.pooling)

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} text similarity model".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        verbs = ("similarity", "embed") if self.head == "cosine" else ("similarity",)
        uses = tuple(f"pellucid {verb} {{run}} < FILE" for verb in verbs)
        return (*uses, "pellucid evaluate {run} --data FILE.tsv")

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        return labeled_defaults(n_examples)
