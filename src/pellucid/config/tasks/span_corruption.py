"""Settings of span corruption."""

from dataclasses import dataclass

from pellucid.config.columns import DOCUMENT
from pellucid.config.tasks.base import LOSS, Defaults
from pellucid.config.tasks.encoder_decoders import PRETRAINING, T5_SIZES, EncoderDecoderConfig
from pellucid.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SpanCorruptionConfig(EncoderDecoderConfig):
    """Span corruption: predict spans of text that sentinels replace (Raffel et al. 2020).

    Which spans are corrupted differs between epochs.
    """

    name = "span_corruption"
    columns = DOCUMENT
    metrics = {**LOSS, "perplexity": "lower"}  # noqa: RUF012 (never changed)
    example_files = ("my.txt",)
    sizes = T5_SIZES

    corrupted: float = 0.15
    """Fraction of tokens in corrupted spans."""
    mean_span_length: float = 3.0
    """Mean length of a span in tokens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.corrupted < 1:
            raise ConfigError(
                f"corrupted={self.corrupted} must be above 0 and below 1. The paper's value is"
                " 0.15."
            )
        if self.mean_span_length < 1:
            raise ConfigError(
                f"mean_span_length={self.mean_span_length}: a span has at least 1 token. The"
                " paper's value is 3."
            )

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "pellucid evaluate {run} --data FILE",
            "pellucid train --task summarization --start-from {run} --data.train FILE.jsonl",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        is_large = n_examples > 200_000
        return Defaults(
            size="t5-small" if is_large and not on_cpu else "t5-efficient-tiny",
            epochs=20,
            tokens_per_example=32,
            settings={
                "tokenizer": {"vocab_size": 32_000 if is_large else 8_000},
                "training": PRETRAINING,
            },
        )
