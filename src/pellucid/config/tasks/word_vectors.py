"""Settings of word vectors."""

from dataclasses import dataclass
from typing import Any

from pellucid.config.checks import check_at_least, check_at_most
from pellucid.config.columns import Column
from pellucid.config.skip_gram import SkipGramConfig
from pellucid.config.tasks.base import Defaults, TaskConfig

MAXIMA = {"window": 1000, "negatives": 1000}


@dataclass(frozen=True, kw_only=True)
class WordVectorsConfig(TaskConfig):
    """Word vectors: skip-gram with negative sampling (Mikolov et al. 2013; word2vec)."""

    name = "word_vectors"
    columns = (Column("text", "document", ("document", "sentence", "content"), tokenizer="source"),)
    example_files = ("my.txt",)
    sizes = ("skip-gram",)
    has_model = False

    window: int = 5
    """Maximum distance of a context word. For each word a distance from 1 to this is drawn."""
    negatives: int = 5
    """Sampled contexts for each real one. The paper has 5 to 20 for small data."""
    power: float = 0.75
    """Contexts are sampled in proportion to their count to this power."""
    subsample: float = 1e-3
    """A word with a share f of the text is left out with probability 1 - sqrt(subsample / f). 0
    keeps all words. The paper has 1e-5 for billions of words, its code 1e-3."""

    def __post_init__(self) -> None:
        check_at_least(1, self, "window", "negatives")
        check_at_least(0, self, "power", "subsample")
        check_at_most(MAXIMA, self)

    @classmethod
    def model_class(cls, size: str) -> Any:
        return SkipGramConfig

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} word vectors".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "python -c 'import pellucid, sys; print(pellucid.load_vectors(sys.argv[1])"
            ".nearest(sys.argv[2]))' {run} WORD",
            "pellucid train --task classification --objective.vectors {run}/final/vectors.txt"
            " --data.train ...",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        return Defaults(
            size="skip-gram",
            epochs=20 if n_examples < 100_000 else 5,
            tokens_per_example=32,
            settings={
                "tokenizer": {
                    "kind": "wordpiece",
                    "lowercase": True,
                    "normalize": "nfkc",
                    "vocab_size": 30_000,
                },
                "training": {
                    "optimizer": "adam",
                    "betas": (0.9, 0.999),
                    "eps": 1e-8,
                    "rate": 3e-3,
                    "schedule": "linear",
                    "warmup": 0,
                    "average": 1,
                },
            },
        )
