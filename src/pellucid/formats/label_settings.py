"""The settings of config.json that say what the outputs of a head mean.

`id2label` and `label2id` name them; `problem_type` says how they become a prediction.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pellucid.config.head import HeadConfig, Problem
from pellucid.errors import ConfigError

LABELLED = ("token", "sequence")
"""Kinds of heads whose outputs are labels."""
PROBLEM_TYPES: Mapping[Problem, str] = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}


def read_labels(head: HeadConfig, hf_config: Mapping[str, Any], where: str) -> HeadConfig:
    """Return the head config with the labels of config.json, if there is one per output.

    Raises: ConfigError if problem_type is unknown.
    """
    if head.kind == "sequence" and head.outputs:
        head = replace(head, problem=_read_problem(hf_config, where))
    table = hf_config.get("id2label")
    if head.labels or head.kind not in LABELLED or not isinstance(table, dict):
        return head
    labels = [table.get(str(i)) for i in range(head.outputs)]
    if len(table) != head.outputs or not all(isinstance(label, str) for label in labels):
        return head
    return replace(head, labels=tuple(str(label) for label in labels))


def write_labels(head: HeadConfig) -> dict[str, Any]:
    """Return the settings of a head; `transformers` counts outputs by the labels."""
    if head.kind not in LABELLED:
        return {}
    labels = head.label_names
    settings: dict[str, Any] = {
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    if head.problem:
        settings["problem_type"] = PROBLEM_TYPES[head.problem]
    return settings


def _read_problem(hf_config: Mapping[str, Any], where: str) -> Problem:
    stored = hf_config.get("problem_type")
    if stored is None:
        return ""
    for problem, name in PROBLEM_TYPES.items():
        if stored == name:
            return problem
    raise ConfigError(
        f"{where}: problem_type={str(stored)[:80]!r} is not known. Use"
        f" {', '.join(PROBLEM_TYPES.values())}, or leave it out."
    )
