"""Absolute paths in settings, so that a run can resume from another working directory."""

import os
from collections.abc import Mapping
from typing import Any

from pellucid.config.data import GARDEN

DATA = ("data.train", "data.valid")
NAMES = (
    "tokenizer.path",
    "start_from",
    *(f"objective.{name}" for name in ("vectors", "source_vectors", "target_vectors")),
    *("objective.teacher", "objective.teachers"),
)
NOT_FILES = (GARDEN, "-")


def with_absolute_paths(settings: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the settings with absolute paths for the data files and other files they name.

    Other names do not change: the built-in corpus, a shipped model, `hf://...`.
    """
    absolute = dict(settings)
    for key, value in settings.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping):
            absolute[key] = with_absolute_paths(value, f"{name}.")
        elif name in DATA and isinstance(value, (list, tuple)):  # anything else is refused later
            absolute[key] = tuple(map(_absolute, value))
        elif name in NAMES and isinstance(value, (list, tuple)):
            absolute[key] = tuple(map(_absolute_if_exists, value))
        elif name in NAMES:
            absolute[key] = _absolute_if_exists(value)
    return absolute


def _absolute_if_exists(name: Any) -> Any:
    return os.path.abspath(name) if isinstance(name, str) and os.path.exists(name) else name


def _absolute(name: Any) -> Any:
    return os.path.abspath(name) if isinstance(name, str) and name not in NOT_FILES else name
