"""Default settings of a run, which depend on task, data and machine."""

from collections.abc import Mapping
from dataclasses import asdict
from math import ceil
from typing import Any, NamedTuple

from pellucid.config.data import GARDEN, TokenizerConfig
from pellucid.config.pairs import zero_partners
from pellucid.config.read import check, merge
from pellucid.config.run import RunConfig
from pellucid.config.tasks.base import Defaults, TaskConfig
from pellucid.config.tasks.catalog import task_config
from pellucid.config.tasks.fine_tuning import WARMUP_SHARE, fine_tuning
from pellucid.config.training import TrainingConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES, LOCAL_FAMILIES, PUBLISHED_FAMILIES
from pellucid.families.run_config import build_run, section_classes
from pellucid.families.sizes import SIZES
from pellucid.formats.bundle import Bundle
from pellucid.training.epochs import MIN_INTERVAL

N_CHECKPOINTS = 20
"""Approximate number of times that a run without `epochs` is validated and saved."""


class RunContext(NamedTuple):
    """What the defaults depend on besides the settings."""

    n_examples: int
    """Number of training examples."""
    on_cpu: bool
    start: Bundle | None = None
    """The model that training starts from."""
    teachers: tuple[Bundle, ...] = ()
    """The models whose predictions are learned."""


def complete_settings(
    settings: Mapping[str, Any], context: RunContext, where: str = "settings"
) -> tuple[RunConfig, list[str]]:
    """Return the full config of a run from the user's settings, and notes on the defaults chosen.

    Raises: ConfigError if a setting is unknown or impossible.
    """
    task = task_config(settings.get("task", "translation"), where)
    defaults = task.defaults(context.n_examples, context.on_cpu)
    model, notes = _model(settings, task, context, where)
    family = LOCAL_FAMILIES.get(model["family"])
    if settings.get("start_from"):
        tuning = settings.get("tuning")
        lora = isinstance(tuning, Mapping) and bool(tuning.get("lora_rank"))
        training = fine_tuning(context.n_examples, model["model"]["d_model"], lora)
        training |= task.fine_tuning
    else:
        training = {**defaults.settings["training"], **(family.training if family else {})}
    section = settings.get("training")
    section = section if isinstance(section, Mapping) else {}  # build_run reports the error
    training |= zero_partners(training) | zero_partners(section)
    if section.get("schedule") == "noam":
        training["rate"] = 1.0  # the formula of the paper sets the peak
    training |= _choose_updates({**training, **section}, defaults, context.n_examples)
    chosen = merge({**defaults.settings, "training": training}, model)
    chosen = merge(chosen, {"tokenizer": family.tokenizer if family else {}})
    published = PUBLISHED_FAMILIES.get(model["family"])
    objective = published.objectives.get(task.name, {}) if published else {}
    chosen = merge(chosen, {"objective": objective})
    config = build_run(merge(merge(chosen, settings), {"size": model["size"]}), where)
    _check_languages(config, where)
    return config, notes


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
    every = max(min(updates, MIN_INTERVAL), updates // N_CHECKPOINTS)
    return {**chosen, "max_updates": updates, "validate_every": every, "checkpoint_every": every}


def check_settings(settings: Mapping[str, Any], where: str) -> None:
    """Check names and types of settings, the task and the size. Needs no data.

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


def _check_languages(config: RunConfig, where: str) -> None:
    """Raises: ConfigError if `data.languages` is set and has no effect."""
    data, special = config.data, ALL_FAMILIES[config.family].special_tokens
    is_used = (
        config.objective.uses_languages
        or data.train == (GARDEN,)  # it has sentences in each language
        or (special.has_languages and not (config.start_from or config.tokenizer.path))
    )
    if data.languages and not is_used:
        raise ConfigError(
            f"{where}: data.languages={' '.join(data.languages)} has no effect here: it is for"
            " --task denoising, and for a new mBART. Leave it out. The languages of a translation"
            " are data.source_language and data.target_language, or data.directions."
        )


def _model(
    settings: Mapping[str, Any], task: type[TaskConfig], context: RunContext, where: str
) -> tuple[dict[str, Any], list[str]]:
    """Return the sections `size`, `family` and `model`, and notes on how they were chosen."""
    size = settings.get("size") or "auto"
    if settings.get("start_from"):
        if size != "auto":
            raise ConfigError(
                f"{where}: size={size!r} and start_from={settings['start_from']!r}: the model that"
                " training starts from has a size. Leave one of them out."
            )
        if context.start is None:  # a resumed run: its config has them
            return {"size": size, "family": settings["family"], "model": settings["model"]}, []
        start = context.start
        model = {"size": size, "family": start.family, "model": asdict(start.model_config)}
        _check_same_shape(settings, model["model"], where)
        tokenizer = task.defaults(context.n_examples, context.on_cpu).settings
        _check_no_tokenizer_settings(settings, tokenizer.get("tokenizer", {}), where)
        return model, [f"starting from {settings['start_from']}: family {start.family}"]
    if context.teachers and task.follows_teacher:
        _check_no_tokenizer_settings(settings, {}, where)
        return _choose_student(size, context.teachers[0])
    notes = []
    if size == "auto":
        chosen = task.defaults(context.n_examples, context.on_cpu).size
        machine = "a CPU" if context.on_cpu else "a GPU"
        notes.append(f"{context.n_examples:,} training examples on {machine}: size {chosen}")
        size = chosen
    _check_size(size, task, where)
    family, config = SIZES[size]
    return {"size": size, "family": family, "model": asdict(config)}, notes


def _choose_student(size: str, teacher: Bundle) -> tuple[dict[str, Any], list[str]]:
    """Return the sections of a student: of a size, or the teacher with half of its layers."""
    vocab_size = teacher.model_config.vocab_size
    if size != "auto":
        family, config = SIZES[size]
        model = {**asdict(config), "vocab_size": vocab_size}
        return {"size": size, "family": family, "model": model}, []
    n_layers = teacher.model_config.n_encoder_layers
    n_student = max(1, n_layers // 2)
    model = {**asdict(teacher.model_config), "n_encoder_layers": n_student}
    note = f"student: family {teacher.family}, {n_student} of the teacher's {n_layers} layers"
    return {"size": size, "family": teacher.family, "model": model}, [note]


def _check_same_shape(settings: Mapping[str, Any], model: Mapping[str, Any], where: str) -> None:
    """Raises: ConfigError if a setting would change the shape of the model to start from."""
    section = settings.get("model")
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if isinstance(value, list):  # YAML has lists where the config has tuples
            value = tuple(value)
        if name in model and not name.endswith("dropout") and model[name] != value:
            raise ConfigError(
                f"{where}: model.{name}={value!r}, but the model to start from has {model[name]!r},"
                " and its weights fit no other. Leave the setting out."
            )


def _check_no_tokenizer_settings(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], where: str
) -> None:
    """Raises: ConfigError if a setting asks for another tokenizer than the one to start from."""
    section = settings.get("tokenizer")
    unused = asdict(TokenizerConfig()) | dict(defaults)  # a run's config file has these values
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if name in unused and unused[name] != value:
            raise ConfigError(
                f"{where}: tokenizer.{name}={value!r}, but the model to start from, or the"
                " teacher, has a tokenizer, which is used. Leave the setting out."
            )


def _positive(training: Mapping[str, Any], name: str, default: Any) -> Any:
    value = training.get(name, default)
    if not isinstance(value, int | float) or value <= 0:
        return default  # build_run reports the error
    return value
