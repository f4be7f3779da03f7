"""All tasks by name: their settings."""

from pellucid.config.tasks.base import TaskConfig
from pellucid.config.tasks.classification import ClassificationConfig
from pellucid.config.tasks.denoising import DenoisingConfig
from pellucid.config.tasks.distillation import DistillationConfig
from pellucid.config.tasks.language_modeling import LanguageModelingConfig
from pellucid.config.tasks.masked_lm import MaskedLMConfig
from pellucid.config.tasks.question_answering import QuestionAnsweringConfig
from pellucid.config.tasks.replaced_token import ReplacedTokenConfig
from pellucid.config.tasks.similarity import SimilarityConfig
from pellucid.config.tasks.span_corruption import SpanCorruptionConfig
from pellucid.config.tasks.summarization import SummarizationConfig
from pellucid.config.tasks.tagging import TaggingConfig
from pellucid.config.tasks.translation import TranslationConfig
from pellucid.config.tasks.word_vectors import WordVectorsConfig
from pellucid.errors import ConfigError

TASK_CONFIGS: dict[str, type[TaskConfig]] = {
    config.name: config
    for config in (
        TranslationConfig,
        LanguageModelingConfig,
        MaskedLMConfig,
        ReplacedTokenConfig,
        SpanCorruptionConfig,
        DenoisingConfig,
        DistillationConfig,
        ClassificationConfig,
        SimilarityConfig,
        TaggingConfig,
        WordVectorsConfig,
        QuestionAnsweringConfig,
        SummarizationConfig,
    )
}


def task_config(name: object, where: str) -> type[TaskConfig]:
    """Return the config class of a task. Raises: ConfigError naming the known tasks."""
    if not isinstance(name, str) or name not in TASK_CONFIGS:
        raise ConfigError(
            f"{where}: task={str(name)[:80]!r} is not known. Use {', '.join(TASK_CONFIGS)}."
        )
    return TASK_CONFIGS[name]
