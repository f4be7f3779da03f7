"""Settings of language modeling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.config.checks import check_at_least
from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.config.tasks.base import LOSS, Defaults, TaskConfig
from pellucid.config.transformer_xl import TransformerXLConfig
from pellucid.errors import ConfigError

CODE = "code"
END_OF_TEXT = "endoftext"


@dataclass(frozen=True, kw_only=True)
class LanguageModelingConfig(TaskConfig):
    """Language modeling: predict the next token (Radford et al. 2018).

    Documents are joined, each with an end token, and cut into blocks of the model's context.
    """

    name = "language_modeling"
    columns = (
        Column("text", "document", ("document", "sentence", "content"), tokenizer="source"),
        Column(CODE, "label", ("control_code", "control code"), optional=True),
    )
    metrics = {  # noqa: RUF012 (never changed)
        **LOSS,
        "perplexity": "lower",
        "bits_per_byte": "lower",
        "bits_per_character": "lower",
    }
    example_files = ("my.txt",)
    sizes = (
        *("gpt2-nanogpt", "gpt2-micro", "gpt2-mini"),
        *("gpt2-small", "gpt2-medium", "gpt2-large", "gpt2-xl"),
        *("openai-gpt-micro", "openai-gpt-base", "gpt_neo-125m", "gpt_neo-1.3b", "gpt_neo-2.7b"),
        *("ctrl-micro", "ctrl-large"),
        *("transfo-xl-micro", "transfo-xl-enwik8", "transfo-xl-wt103"),
    )
    # The logits of a published vocabulary are large: of 2,048 tokens, 400 MB.
    fine_tuning = {"max_tokens": 2048, "batch_examples": 0}  # noqa: RUF012 (never changed)

    stride: int = 0
    """Tokens from one evaluation window to the next. A window is as long as the model's context,
    and only its last `stride` tokens are scored. 0 means half the context."""

    def __post_init__(self) -> None:
        check_at_least(0, self, "stride")

    def extra_tokens(
        self, labels: Mapping[str, tuple[str, ...]], data: DataConfig
    ) -> tuple[str, ...]:
        return tuple(make_code_token(code) for code in labels.get(CODE, ()))

    @classmethod
    def model_class(cls, size: str) -> type:
        return TransformerXLConfig if size.startswith("transfo-xl") else super().model_class(size)

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} language model".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return (
            'echo "The beginning" | pellucid generate {run} --method sample --top-p 0.9',
            "pellucid evaluate {run} --data FILE",
        )

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        large = n_examples > 200_000
        small = n_examples < 20_000
        return Defaults(
            size="gpt2-micro" if small else "gpt2-small" if large and not on_cpu else "gpt2-mini",
            epochs=20 if small else 3 if large else 5,
            tokens_per_example=32,
            settings={
                "tokenizer": {"vocab_size": 2_000 if small else 30_000 if large else 8_000},
                "data": {"max_length": 1024},
                "training": {**ADAMW, "rate": 1e-3, "warmup": 100},
            },
        )


ADAMW: dict[str, Any] = {
    "optimizer": "adamw",
    "betas": (0.9, 0.95),
    "eps": 1e-8,
    "weight_decay": 0.1,
    "clip_norm": 1.0,
    "schedule": "cosine",
    "average": 1,
}
"""The optimizer of GPT-3 (Brown et al. 2020, appendix B); rates are higher for small models."""


def make_code_token(code: str) -> str:
    """Return the token of a control code, which no text can spell by accident.

    Raises: ConfigError at a code that has no such token.
    """
    if not code or code == END_OF_TEXT or "|" in code:
        raise ConfigError(
            f"{CODE}={code!r} cannot be a control code: it is empty, {END_OF_TEXT!r}, or contains"
            " '|'. Use another word."
        )
    return f"<|{code}|>"
