"""Settings of translation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pellucid.config.columns import LANGUAGES, PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.config.tasks.base import LOSS, Defaults
from pellucid.config.tasks.encoder_decoders import (
    MBART_SIZES,
    TRANSFORMER_SIZES,
    EncoderDecoderConfig,
)


class _Choice(NamedTuple):
    """Settings for training data of at most `pairs` pairs."""

    pairs: float
    size: str
    vocab_size: int
    epochs: int
    rate: float  # the schedule's peak
    warmup: int


# Small data needs a small model, seen often, with strong dropout (the preset's own). Peak rates:
# tiny from Wu et al. 2021, the others near the paper's formula at their width.
_CHOICES = (
    _Choice(5_000, "tiny", 2_000, 100, 3e-3, 400),
    _Choice(60_000, "tiny", 10_000, 60, 5e-3, 2000),
    _Choice(400_000, "small", 12_000, 25, 1.5e-3, 4000),
    _Choice(float("inf"), "base", 32_000, 10, 7e-4, 4000),
)
# On a CPU a step of base takes seconds: one size smaller learns more in the same time.
_SMALLER_ON_CPU = {"base": "small", "big": "small"}


@dataclass(frozen=True, kw_only=True)
class TranslationConfig(EncoderDecoderConfig):
    """Translation: predict the next target token (Vaswani et al. 2017)."""

    name = "translation"
    columns = PAIR
    metrics = {**LOSS, "perplexity": "lower", "bleu": "higher"}  # noqa: RUF012 (never changed)
    example_files = ("my.en", "my.de")
    sizes = (*TRANSFORMER_SIZES, "rnn", *MBART_SIZES)

    label_smoothing: float = 0.1
    """Fraction of the target's probability to distribute over the vocabulary."""
    source_vectors: str = ""
    """Word vectors to initialize the encoder's embedding with: a text file in word2vec or GloVe
    format, also gzipped."""
    target_vectors: str = ""
    """As source_vectors, for the decoder. If both share one matrix, these take precedence."""

    def columns_for(self, data: DataConfig) -> tuple[Column, ...]:
        """Return source and target; with several directions, also their languages."""
        return (*PAIR, *LANGUAGES) if data.directions else PAIR

    def extra_tokens(
        self, labels: Mapping[str, tuple[str, ...]], data: DataConfig
    ) -> tuple[str, ...]:
        """Return a token for each language that texts are translated into."""
        targets = dict.fromkeys(each.split("-")[1] for each in data.directions)
        return tuple(f"<2{language}>" for language in targets)

    @property
    def vector_files(self) -> Mapping[str, str]:
        """Files of word vectors to initialize embeddings with, by stack."""
        files = {"encoder": self.source_vectors, "decoder": self.target_vectors}
        return {stack: file for stack, file in files.items() if file}

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language or 'source'}-{target_language or 'target'} translator"

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        source, target = source_language or "SOURCE", target_language or "TARGET"
        return (
            f"pellucid translate {{run}} < FILE.{source} > FILE.{target}",
            f"pellucid evaluate {{run}} --data TEST.{source} TEST.{target}",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        choice = next(choice for choice in _CHOICES if n_examples <= choice.pairs)
        return Defaults(
            size=_SMALLER_ON_CPU.get(choice.size, choice.size) if on_cpu else choice.size,
            epochs=choice.epochs,
            tokens_per_example=20,
            settings={
                "tokenizer": {"vocab_size": choice.vocab_size},
                "training": {
                    "schedule": "inverse-sqrt",
                    "rate": choice.rate,
                    "warmup": choice.warmup,
                    "average": 5,
                },
            },
        )
