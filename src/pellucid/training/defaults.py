"""Settings that the user left open, chosen by task, data and machine."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from pellucid.config.data import TokenizerConfig
from pellucid.config.read import check, merge
from pellucid.config.run import RunConfig
from pellucid.config.tasks.base import TaskConfig
from pellucid.config.tasks.catalog import task_config
from pellucid.errors import ConfigError
from pellucid.families.catalog import LOCAL_FAMILIES
from pellucid.families.run_config import build_run, section_classes
from pellucid.families.sizes import SIZES
from pellucid.formats.bundle import Bundle

CHECKPOINTS = 20
"""A run is validated and saved about this often."""
FEWEST_BETWEEN = 25
"""But not after fewer updates than this."""


class Situation(NamedTuple):
    """What settings are chosen by, besides those that are settings."""

    n_examples: int
    """Training examples."""
    on_cpu: bool
    start: Bundle | None = None
    """The model that training begins from."""


def complete(
    settings: Mapping[str, Any], situation: Situation, where: str = "settings"
) -> tuple[RunConfig, list[str]]:
    """Return the full config of a run from the user's settings, and notes on what was chosen.

    Raises: ConfigError if a setting is unknown or impossible.
    """
    task = task_config(settings.get("task", "translation"), where)
    starts = bool(settings.get("start_from"))
    defaults = task.defaults(situation.n_examples, situation.on_cpu, starts)
    model, notes = _model(settings, task, situation, where)
    size = model["size"]
    recipe = LOCAL_FAMILIES[model["family"]].training if model["family"] in LOCAL_FAMILIES else {}
    chosen = merge(dict(defaults.settings), {**model, "training": recipe})
    training = settings.get("training")
    training = training if isinstance(training, Mapping) else {}  # the reader reports the fault
    chosen_training = chosen["training"]
    if training.get("schedule") == "noam":
        chosen_training["rate"] = 1.0  # the formula of the paper sets the peak
    max_tokens = _positive(training, "max_tokens", chosen_training.get("max_tokens", 4096))
    per_update = max_tokens * _positive(training, "accumulate", 1)
    per_epoch = max(1, situation.n_examples * defaults.tokens_per_example // per_update)
    updates = _positive(training, "max_updates", defaults.epochs * per_epoch)
    often = max(min(updates, FEWEST_BETWEEN), updates // CHECKPOINTS)
    chosen_training |= {
        "warmup": max(1, min(chosen_training.get("warmup", 4000), updates // 4)),
        "max_updates": updates,
        "validate_every": often,
        "checkpoint_every": often,
    }
    return build_run(merge(merge(chosen, settings), {"size": size}), where), notes


def check_settings(settings: Mapping[str, Any], where: str) -> None:
    """Check what can be checked before the data is read: names, types, task and size.

    Raises: ConfigError.
    """
    check(RunConfig, settings, where, section_classes(settings, where))
    if not settings.get("start_from"):
        _check_size(
            settings.get("size") or "auto",
            task_config(settings.get("task", "translation"), where),
            where,
        )


def _check_size(size: object, task: type[TaskConfig], where: str) -> None:
    if size != "auto" and (not isinstance(size, str) or size not in task.sizes):
        raise ConfigError(
            f"{where}: size={size!r} is not a size for {task.name}. Use auto,"
            f" {', '.join(task.sizes)}."
        )


def _model(
    settings: Mapping[str, Any], task: type[TaskConfig], situation: Situation, where: str
) -> tuple[dict[str, Any], list[str]]:
    """The sections `size`, `family` and `model`, and why they were chosen."""
    size = settings.get("size") or "auto"
    if settings.get("start_from"):
        if size != "auto":
            raise ConfigError(
                f"{where}: size={size!r} and start_from={settings['start_from']!r}: the model that"
                " training starts from has a size. Leave one of them out."
            )
        if situation.start is None:  # a run that goes on: its config has them
            return {"size": size, "family": settings["family"], "model": settings["model"]}, []
        start = situation.start
        model = {"size": size, "family": start.family, "model": asdict(start.model_config)}
        _refuse_other_shape(settings, model["model"], where)
        tokenizer = task.defaults(situation.n_examples, situation.on_cpu, True).settings
        _refuse_tokenizer_settings(settings, tokenizer.get("tokenizer", {}), where)
        return model, [f"starting from {settings['start_from']}: family {start.family}"]
    notes = []
    if size == "auto":
        chosen = task.defaults(situation.n_examples, situation.on_cpu, False).size
        machine = "a CPU" if situation.on_cpu else "a GPU"
        notes.append(f"{situation.n_examples:,} training examples on {machine}: size {chosen}")
        size = chosen
    _check_size(size, task, where)
    family, config = SIZES[size]
    return {"size": size, "family": family, "model": asdict(config)}, notes


def _refuse_other_shape(settings: Mapping[str, Any], model: Mapping[str, Any], where: str) -> None:
    """Raises: ConfigError if a setting would change the shape of the model to start from."""
    section = settings.get("model")
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if isinstance(value, list):  # as YAML has what the config holds as a tuple
            value = tuple(value)
        if name in model and not name.endswith("dropout") and model[name] != value:
            raise ConfigError(
                f"{where}: model.{name}={value!r}, but the model to start from has {model[name]!r},"
                " and its weights fit no other. Leave the setting out."
            )


def _refuse_tokenizer_settings(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], where: str
) -> None:
    """Raises: ConfigError if a setting asks for another tokenizer than the one to start from."""
    section = settings.get("tokenizer")
    unused = asdict(TokenizerConfig()) | dict(defaults)  # in the config file of a run
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if name in unused and unused[name] != value:
            raise ConfigError(
                f"{where}: tokenizer.{name}={value!r}, but the model to start from has a tokenizer,"
                " which is used. Leave the setting out."
            )


def _positive(training: Mapping[str, Any], name: str, default: int) -> int:
    value = training.get(name, default)
    if not isinstance(value, int) or value < 1:
        return default  # reading the config reports what is wrong with it
    return value
