"""Settings of summarization."""

from dataclasses import dataclass

from pellucid.config.checks import check_at_least
from pellucid.config.columns import Column
from pellucid.config.tasks.base import LOSS, Defaults
from pellucid.config.tasks.encoder_decoders import (
    BART_SIZES,
    PRETRAINING,
    T5_SIZES,
    TRANSFORMER_SIZES,
    EncoderDecoderConfig,
)


@dataclass(frozen=True, kw_only=True)
class SummarizationConfig(EncoderDecoderConfig):
    """Summarization: predict the next token of a document's summary (Rush et al. 2015)."""

    name = "summarization"
    columns = (
        Column("document", "text", ("dialogue", "article", "text", "source"), tokenizer="source"),
        Column("summary", "text", ("highlights", "abstract", "target"), tokenizer="target"),
    )
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "perplexity": "lower",
        **dict.fromkeys(("rouge1", "rouge2", "rougeL", "rougeLsum"), "higher"),
    }
    best_by = "rougeL"
    has_intervals = True
    example_files = ("my.jsonl",)
    sizes = (*TRANSFORMER_SIZES, "rnn", *BART_SIZES, *T5_SIZES)

    label_smoothing: float = 0.1
    """Fraction of the target's probability to distribute over the vocabulary."""
    max_summary_length: int = 256
    """Maximum tokens of a summary; examples with a longer one are left out and counted."""
    source_prefix: str = ""
    """Text before each document, such as T5's `summarize: `. The finished model adds it too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, self, "max_summary_length")

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} summarizer".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return ("pellucid summarize {run} < FILE", "pellucid evaluate {run} --data FILE.jsonl")

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        is_large = n_examples > 50_000
        return Defaults(
            size="bart-tiny" if not is_large else "bart-mini" if on_cpu else "bart-base",
            epochs=20,
            tokens_per_example=256,
            settings={
                "tokenizer": {"vocab_size": 32_000 if is_large else 8_000},
                "data": {"max_length": 512},
                "training": PRETRAINING,
                "decoding": {"beam": 4, "max_length": 128, "no_repeat_ngram": 3},
            },
        )
