"""Settings that the user left open, chosen by task, data and machine."""

from collections.abc import Mapping
from dataclasses import asdict
from math import ceil
from typing import Any, NamedTuple

from pellucid.config.data import TokenizerConfig
from pellucid.config.pairs import zero_partners
from pellucid.config.read import check, merge
from pellucid.config.run import RunConfig
from pellucid.config.tasks.base import Defaults, TaskConfig
from pellucid.config.tasks.catalog import task_config
from pellucid.config.tasks.fine_tuning import WARMUP_SHARE, fine_tuning
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import LOCAL_FAMILIES
from pellucid.families.run_config import build_run, section_classes
from pellucid.families.sizes import SIZES
from pellucid.formats.bundle import Bundle
from pellucid.training.epochs import FEWEST_BETWEEN

CHECKPOINTS = 20
"""A run without `epochs` is validated and saved about this often."""


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
    defaults = task.defaults(situation.n_examples, situation.on_cpu)
    model, notes = _model(settings, task, situation, where)
    if settings.get("start_from"):
        tuning = fine_tuning(situation.n_examples, model["model"]["d_model"])
        training = {**tuning, **task.fine_tuning}
    else:
        family = LOCAL_FAMILIES.get(model["family"])
        training = {**defaults.settings["training"], **(family.training if family else {})}
    section = settings.get("training")
    section = section if isinstance(section, Mapping) else {}  # the reader reports the fault
    training |= zero_partners(training) | zero_partners(section)
    if section.get("schedule") == "noam":
        training["rate"] = 1.0  # the formula of the paper sets the peak
    training |= _choose_updates({**training, **section}, defaults, situation.n_examples)
    chosen = merge({**defaults.settings, "training": training}, model)
    return build_run(merge(merge(chosen, settings), {"size": model["size"]}), where), notes


def _choose_updates(
    training: Mapping[str, Any], defaults: Defaults, n_examples: int
) -> dict[str, int]:
    """Return the settings that are numbers of updates, by an estimate of the updates per epoch.

    If `epochs` is set, `count_updates` counts what is 0 here.
    """
    per_example = defaults.tokens_per_example
    tokens = _positive(training, "batch_examples", 0) * per_example
    tokens = tokens or _positive(training, "max_tokens", TrainingConfig.max_tokens)
    per_update = tokens * _positive(training, "accumulate", 1)
    per_epoch = max(1, n_examples * per_example // per_update)
    epochs = _positive(training, "epochs", 0)
    updates = _positive(training, "max_updates", ceil((epochs or defaults.epochs) * per_epoch))
    warmup = _positive(training, "warmup", round(WARMUP_SHARE * updates))
    fewest = int(training.get("schedule") == "noam")  # which divides by it
    chosen = {"warmup": max(fewest, min(warmup, updates // 4))}
    if epochs:
        return {**chosen, "max_updates": 0, "validate_every": 0, "checkpoint_every": 0}
    often = max(min(updates, FEWEST_BETWEEN), updates // CHECKPOINTS)
    return {**chosen, "max_updates": updates, "validate_every": often, "checkpoint_every": often}


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
        tokenizer = task.defaults(situation.n_examples, situation.on_cpu).settings
        _refuse_tokenizer_settings(settings, tokenizer.get("tokenizer", {}), where)
        return model, [f"starting from {settings['start_from']}: family {start.family}"]
    notes = []
    if size == "auto":
        chosen = task.defaults(situation.n_examples, situation.on_cpu).size
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


def _positive(training: Mapping[str, Any], name: str, default: Any) -> Any:
    value = training.get(name, default)
    if not isinstance(value, int | float) or value <= 0:
        return default  # reading the config reports what is wrong with it
    return value
