"""All tasks by name, imported on first use."""

from importlib import import_module

from pellucid.tasks.protocol import Task, TaskInputs

TASKS = {
    "translation": ("pellucid.tasks.translation", "TranslationTask"),
    "language_modeling": ("pellucid.tasks.segment_modeling", "build_language_modeling"),
    "masked_lm": ("pellucid.tasks.masked_lm", "MaskedLMTask"),
    "replaced_token": ("pellucid.tasks.replaced_token", "ReplacedTokenTask"),
    "span_corruption": ("pellucid.tasks.span_corruption", "SpanCorruptionTask"),
    "denoising": ("pellucid.tasks.denoising", "DenoisingTask"),
    "distillation": ("pellucid.tasks.distillation", "DistillationTask"),
    "classification": ("pellucid.tasks.classification", "ClassificationTask"),
    "similarity": ("pellucid.tasks.similarity", "build_similarity_task"),
    "summarization": ("pellucid.tasks.summarization", "SummarizationTask"),
    "tagging": ("pellucid.tasks.tagging", "TaggingTask"),
    "word_vectors": ("pellucid.tasks.word_vectors", "WordVectorsTask"),
    "question_answering": ("pellucid.tasks.question_answering", "QuestionAnsweringTask"),
}
"""The module of each, and its class or the function that chooses it; `config/tasks/catalog.py` has
the settings by the same names."""


def build_task(inputs: TaskInputs) -> Task:
    """Build the task named in the config."""
    module, name = TASKS[inputs.config.task]
    return getattr(import_module(module), name)(inputs)
