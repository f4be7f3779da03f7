"""Checks that several configs share."""

import math
from collections.abc import Mapping
from typing import Any

from pellucid.errors import ConfigError


def check_at_least(minimum: float, config: Any, *names: str) -> None:
    """Raises: ConfigError if a named field is below the minimum or not finite."""
    for name in names:
        value = getattr(config, name)
        if not (value >= minimum and math.isfinite(value)):
            raise ConfigError(f"{name}={value} must be at least {minimum}.")


def check_at_most(limits: Mapping[str, float], config: Any) -> None:
    """Raises: ConfigError if a field is above its limit."""
    for name, limit in limits.items():
        value = getattr(config, name, 0)
        if value > limit:
            raise ConfigError(f"{name}={value} is above {limit}. Use less.")


def check_shared_vocabulary(config: Any) -> None:
    """Raises: ConfigError if source and target have two vocabularies but one embedding matrix."""
    if config.target_vocab_size and config.tie_embeddings in ("all", "inputs"):
        raise ConfigError(
            f"tie_embeddings={config.tie_embeddings} shares one matrix, but target_vocab_size"
            " sets a second vocabulary. Use tie_embeddings=decoder."
        )


def check_fraction(config: Any, *names: str) -> None:
    """Raises: ConfigError if a named field is outside [0, 1)."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise ConfigError(f"{name}={getattr(config, name)} must be at least 0 and below 1.")
