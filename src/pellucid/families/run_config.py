"""A run's config, its model's settings read as those of the family that its size names."""

from collections.abc import Mapping
from typing import Any

from pellucid.config.read import build
from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import OWN_FAMILIES
from pellucid.families.transformer import TRANSFORMER


def build_run(mapping: Mapping[str, Any], where: str) -> RunConfig:
    """A run's config from a mapping.

    Raises: ConfigError as `config.read.build`, or at a model setting of another family.
    """
    size, model = mapping.get("size", "auto"), mapping.get("model")
    families = [f for f in OWN_FAMILIES.values() if isinstance(size, str) and size in f.presets]
    family = families[0] if families else TRANSFORMER  # reading refuses an unknown size
    for name in model if isinstance(model, Mapping) else ():
        if name in family.config.__dataclass_fields__:
            continue
        for other in OWN_FAMILIES.values():
            if name in other.config.__dataclass_fields__:
                raise ConfigError(
                    f"{where}: model.{name} is a setting of family {other.name}, but size {size} is"
                    f" of family {family.name}. Leave it out, or use size:"
                    f" {', '.join(other.presets)}."
                )
    return build(RunConfig, mapping, where, {"model": family.config})
