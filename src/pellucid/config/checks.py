"""The checks that several configs share."""

import math
from typing import Any

from pellucid.errors import ConfigError


def at_least(least: float, config: Any, *names: str) -> None:
    """Raises: ConfigError if a named field is below `least` or not finite."""
    for name in names:
        value = getattr(config, name)
        if not (value >= least and math.isfinite(value)):
            raise ConfigError(f"{name}={value} must be at least {least}.")


def fraction(config: Any, *names: str) -> None:
    """Raises: ConfigError if a named field is outside [0, 1)."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise ConfigError(f"{name}={getattr(config, name)} must be at least 0 and below 1.")
