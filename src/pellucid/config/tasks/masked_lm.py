"""Settings of masked language modeling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pellucid.config.tasks.base import LOSS, Defaults, Direction
from pellucid.config.tasks.encoders import ADAMW, ENCODER_SIZES
from pellucid.config.tasks.masking import MaskingConfig


@dataclass(frozen=True, kw_only=True)
class MaskedLMConfig(MaskingConfig):
    """Masked language modeling: predict masked tokens (Devlin et al. 2019)."""

    name = "masked_lm"
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "perplexity": "lower",
        "accuracy": "higher",
        "pair_accuracy": "higher",
    }
    sizes = ENCODER_SIZES

    pairs: Literal["none", "next_sentence", "sentence_order"] = "none"
    """Predict in addition whether the second of two segments follows the first. next_sentence: or
    is from another document (Devlin et al. 2019; BERT). sentence_order: or precedes it (Lan et al.
    2020; ALBERT). Sentences are the lines of a document: see data.documents."""

    @property
    def available_metrics(self) -> Mapping[str, Direction]:
        without = {"pair_accuracy"} if self.pairs == "none" else set[str]()
        return {name: best for name, best in self.metrics.items() if name not in without}

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            "pellucid fill {run} < FILE",
            "pellucid evaluate {run} --data FILE",
            "pellucid train --task tagging --start-from {run} --data.train FILE.conll",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        large = n_examples > 200_000
        return Defaults(
            size="bert-small" if large and not on_cpu else "bert-mini" if large else "bert-tiny",
            epochs=20,
            tokens_per_example=32,
            settings={
                "tokenizer": {
                    "kind": "wordpiece",
                    "lowercase": True,
                    "normalize": "nfkc",
                    "vocab_size": 30_000 if large else 8_000,
                },
                "data": {"max_length": 128},
                "training": {
                    **ADAMW,
                    "warmup": 500,
                },
            },
        )
