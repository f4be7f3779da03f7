"""Settings of extractive question answering."""

from dataclasses import dataclass

from pellucid.config.checks import check_at_least
from pellucid.config.columns import ANSWER_START, Column
from pellucid.config.tasks.base import LOSS, Defaults, TaskConfig
from pellucid.config.tasks.encoders import ADAMW, ENCODER_SIZES

WINDOW = 384
STRIDE = 128
QUESTION_TOKENS = 64
ANSWER_TOKENS = 64
"""Devlin et al. 2019 have 30, but Chinese has a token for each character."""


@dataclass(frozen=True, kw_only=True)
class QuestionAnsweringConfig(TaskConfig):
    """Question answering: find the span of a context that answers a question (Rajpurkar et al.
    2016), or that it has no answer (Rajpurkar et al. 2018).

    A model scores each token as the first and as the last one of the answer (Devlin et al. 2019,
    section 4.2). Long contexts are read in windows of `data.max_length` tokens.
    """

    name = "question_answering"
    columns = (
        Column("question", "text", ("query",), tokenizer="source"),
        Column("context", "text", ("passage", "paragraph", "document"), tokenizer="source"),
        Column("answers", "span", ("answer", "answer_text")),
        Column(ANSWER_START, "score", ("start",), optional=True),
    )
    metrics = {**LOSS, "exact_match": "higher", "f1": "higher"}  # noqa: RUF012 (never changed)
    best_by = "f1"
    has_errors = has_intervals = True
    example_files = ("my.json",)
    sizes = (*ENCODER_SIZES, "electra-small")

    stride: int = STRIDE
    """Maximum tokens of the context from the start of a window to the start of the next. Windows
    overlap by half or more."""
    question_tokens: int = QUESTION_TOKENS
    """Longer questions are cut."""
    answer_tokens: int = ANSWER_TOKENS
    """Longer spans are not predicted."""
    null_threshold: float = 0.0
    """In validation with unanswerable questions, "no answer" is predicted where its score is higher
    than that of the best span by more than this."""

    def __post_init__(self) -> None:
        check_at_least(1, self, "stride", "question_tokens", "answer_tokens")

    def title(self, source_language: str, target_language: str) -> str:
        return f"{source_language} question answering model".strip()

    def uses(self, source_language: str, target_language: str) -> tuple[str, ...]:
        return ("pellucid answer {run} < FILE", "pellucid evaluate {run} --data FILE.json")

    @classmethod
    def defaults(cls, n_examples: int, on_cpu: bool) -> Defaults:
        return Defaults(
            size="bert-tiny" if n_examples < 5_000 else "bert-mini",
            epochs=20,
            tokens_per_example=200,
            settings={
                "tokenizer": {
                    "kind": "wordpiece",
                    "lowercase": True,
                    "vocab_size": 8_000,
                    "normalize": "nfkc",
                },
                "data": {"max_length": WINDOW},
                "training": {
                    "max_tokens": 4096,
                    **ADAMW,
                    "warmup": 200,
                },
            },
        )
