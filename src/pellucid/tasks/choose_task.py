"""Choose the task whose metrics measure a finished model."""

from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.errors import UsageError
from pellucid.formats.bundle import Bundle

FINE_TUNE = "Fine-tune it: pellucid train --start-from MODEL --task TASK."


def choose_task(bundle: Bundle, requested: str = "") -> str:
    """Return the requested task; else that of the training; else the first one of the heads.

    Raises: UsageError if the model fits no task, or not the requested one.
    """
    possible = find_tasks(bundle)
    if requested and requested not in TASK_CONFIGS:
        raise UsageError(f"no task {requested!r}. Known: {', '.join(TASK_CONFIGS)}.")
    if bundle.task in TASK_CONFIGS and requested in ("", bundle.task):
        return bundle.task
    if requested in possible:
        return requested
    heads = ", ".join(bundle.model.head_configs) or "none"
    if requested or not possible:
        problem = f"cannot be measured by {requested}" if requested else "has no metrics"
        fits = f" It can be measured by {', '.join(possible)}." if possible else ""
        raise UsageError(f"this model {problem}; its heads: {heads}.{fits} {FINE_TUNE}")
    return possible[0]


def find_tasks(bundle: Bundle) -> list[str]:
    """Return the tasks whose metrics a model can have by its shape and heads, the usual one first.

    Every encoder has embeddings, and so similarities, but with a head it is for something else.
    """
    encodes, decodes = bundle.model.encoder is not None, bundle.model.decoder is not None
    tasks: list[str] = []
    for name, head in bundle.model.head_configs.items():
        if head.kind == "lm" and encodes and decodes:
            tasks += ["translation", "summarization", "denoising", "span_corruption"]
        elif head.kind == "lm":
            tasks += ["masked_lm"] if encodes else ["language_modeling"]
        elif head.kind == "score":
            tasks.append("replaced_token")
        elif name == "classifier" and head.reading == "regression":
            tasks.append("similarity")
        elif name in NAMED_HEADS:
            tasks.append(NAMED_HEADS[name])
    if encodes and not decodes:
        tasks.append("similarity")
    return list(dict.fromkeys(tasks))


NAMED_HEADS = {
    "classifier": "classification",
    "tagger": "tagging",
    "span": "question_answering",
}
"""The tasks of heads whose kind does not determine one."""
