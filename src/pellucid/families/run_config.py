"""Build a run's config; its task and size determine the classes of its sections."""

from collections.abc import Mapping
from typing import Any

from pellucid.config.read import build
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import task_config
from pellucid.errors import ConfigError
from pellucid.families.catalog import ALL_FAMILIES, LOCAL_FAMILIES
from pellucid.families.sizes import SIZES


def build_run(mapping: Mapping[str, Any], where: str) -> RunConfig:
    """Build a run's config from a mapping.

    Raises: ConfigError as `config.read.build`, or at a model setting of another family.
    """
    kinds = section_classes(mapping, where)
    return build(RunConfig, dict.fromkeys(kinds) | dict(mapping), where, kinds)


def section_classes(mapping: Mapping[str, Any], where: str) -> dict[str, type]:
    """Return the classes of the sections `model` and `objective`.

    Raises: ConfigError at an unknown task or family, or at a model setting of another family.
    """
    task = task_config(mapping.get("task", "translation"), where)
    name = family_name(mapping, where)
    family = ALL_FAMILIES[name]
    model = mapping.get("model")
    for setting in model if isinstance(model, Mapping) else ():
        if setting in family.config_class.__dataclass_fields__:
            continue
        for other in LOCAL_FAMILIES.values():
            if setting in other.config_class.__dataclass_fields__:
                raise ConfigError(
                    f"{where}: model.{setting} is a setting of family {other.name}, but this model"
                    f" is of family {name}. Leave it out, or use size: {', '.join(other.presets)}."
                )
    return {"model": family.config_class, "objective": task}


def family_name(mapping: Mapping[str, Any], where: str) -> str:
    """Return the family of a run's model: that of `family`, else that of `size`.

    Raises: ConfigError naming the known ones.
    """
    name, size = mapping.get("family"), mapping.get("size", "auto")
    if name:
        if not isinstance(name, str) or name not in ALL_FAMILIES:
            raise ConfigError(
                f"{where}: family={str(name)[:80]!r} is not known. Use one of"
                f" {', '.join(ALL_FAMILIES)}."
            )
        return name
    if isinstance(size, str) and size in SIZES:
        return SIZES[size].family
    task = task_config(mapping.get("task", "translation"), where)
    return SIZES[task.sizes[0]].family
