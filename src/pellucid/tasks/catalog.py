"""All tasks by name, imported when they are asked for."""

from importlib import import_module

from pellucid.tasks.protocol import Task, TaskInputs

TASKS = {
    "translation": ("pellucid.tasks.translation", "TranslationTask"),
    "masked_lm": ("pellucid.tasks.masked_lm", "MaskedLMTask"),
    "tagging": ("pellucid.tasks.tagging", "TaggingTask"),
}
"""The module and class of each; `config/tasks/catalog.py` has the settings by the same names."""


def build_task(inputs: TaskInputs) -> Task:
    """The task that the config names."""
    module, name = TASKS[inputs.config.task]
    return getattr(import_module(module), name)(inputs)
