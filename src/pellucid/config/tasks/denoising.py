"""Settings of denoising."""

from dataclasses import dataclass

from pellucid.config.checks import check_fraction
from pellucid.config.columns import DOCUMENT, LANGUAGE, Column
from pellucid.config.data import DataConfig
from pellucid.config.tasks.base import LOSS, Defaults
from pellucid.config.tasks.encoder_decoders import (
    BART_SIZES,
    MBART_SIZES,
    PRETRAINING,
    EncoderDecoderConfig,
)
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DenoisingConfig(EncoderDecoderConfig):
    """Denoising: restore a document from a noised copy (Lewis et al. 2020, section 2.2).

    Noise differs between epochs. It is applied in the order of these settings. The defaults are
    those of BART: text infilling and sentence permutation. Those of mBART are infilled 0.35,
    span_length 3.5 and whole_words true (Liu et al. 2020, section 2.2).
    """

    name = "denoising"
    columns = DOCUMENT
    metrics = {**LOSS, "perplexity": "lower"}  # noqa: RUF012 (never changed)
    example_files = ("my.txt",)
    sizes = (*BART_SIZES, *MBART_SIZES)
    uses_languages = True

    permute_sentences: bool = True
    """Put the sentences of a document into random order. A sentence ends with a token that ends
    with one of . ! ? or their Chinese forms."""
    infilled: float = 0.3
    """Fraction of tokens in spans of which each becomes one mask token (text infilling)."""
    span_length: float = 3.0
    """Mean of the Poisson distribution of the lengths of these spans. A span of length 0 inserts a
    mask token."""
    whole_words: bool = False
    """Infill spans of words instead of tokens; both settings above then count words."""
    masked: float = 0.0
    """Fraction of tokens that become a mask token each (token masking)."""
    deleted: float = 0.0
    """Fraction of tokens to delete (token deletion)."""
    rotated: float = 0.0
    """Fraction of documents that begin with a random one of their tokens, with the tokens before
    it at the end (document rotation)."""

    language_exponent: float = 0.7
    """With data.languages: tokens of a language are read in proportion to its share of all tokens
    to the power of this. 1 reads each text once an epoch; below 1 favors small languages."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction(self, "infilled", "masked", "deleted")
        if not 0 <= self.rotated <= 1:
            raise ConfigError(f"rotated={self.rotated} is a fraction of documents. Use 0 to 1.")
        if not 0 <= self.language_exponent <= 1:
            raise ConfigError(
                f"language_exponent={self.language_exponent} must be from 0 (languages are read"
                " equally often) to 1 (in proportion to their texts). The paper's value is 0.7."
            )
        if self.span_length <= 0:
            raise ConfigError(
                f"span_length={self.span_length} must be above 0. The paper's value is 3."
            )

    def columns_for(self, data: DataConfig) -> tuple[Column, ...]:
        """Return the text; with several languages, also its language."""
        return (*DOCUMENT, *LANGUAGE) if data.languages else DOCUMENT

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "pellucid evaluate {run} --data FILE",
            "pellucid train --task summarization --start-from {run} --data.train FILE.jsonl",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        is_large = n_examples > 200_000
        large = "bart-mini" if on_cpu else "bart-base"
        return Defaults(
            size=large if is_large else "bart-tiny",
            epochs=20,
            tokens_per_example=32,
            settings={
                "tokenizer": {"vocab_size": 32_000 if is_large else 8_000},
                "training": PRETRAINING,
            },
        )
