"""Two settings that say the same in different units: one of them counts, the other is 0."""

from collections.abc import Mapping
from typing import Any

from pellucid.errors import ConfigError

PARTNERS = {
    "max_updates": "epochs",
    "epochs": "max_updates",
    "max_tokens": "batch_examples",
    "batch_examples": "max_tokens",
}
"""Settings of `training` -> the setting that may be used instead."""
EXAMPLES = {"max_updates": 1000, "max_tokens": 4096}


def check_pairs(training: Mapping[str, Any]) -> None:
    """Raises: ConfigError if both settings of a pair are set, or neither."""
    for name, other in (("max_updates", "epochs"), ("max_tokens", "batch_examples")):
        if training[name] and training[other]:
            raise ConfigError(
                f"{name}={training[name]} and {other}={training[other]} exclude each other. Leave"
                " one out."
            )
        if not (training[name] or training[other]):
            raise ConfigError(f"{name}=0 and {other}=0. Set one, such as {name}={EXAMPLES[name]}.")


def zero_partners(training: Mapping[str, Any]) -> dict[str, int]:
    """Return the partner of each of these settings, as 0."""
    return {other: 0 for name, other in PARTNERS.items() if training.get(name)}
