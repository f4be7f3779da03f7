"""What a run's settings are where the user left them open: from the data and the machine."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from pellucid.config.read import merge
from pellucid.config.run import RunConfig
from pellucid.errors import ConfigError
from pellucid.families.catalog import OWN_FAMILIES
from pellucid.families.run_config import build_run

SIZES = {size: family for family in OWN_FAMILIES.values() for size in family.presets}
"""The family of each size."""


class Choice(NamedTuple):
    """Settings for training data of at most `pairs` pairs."""

    pairs: float
    size: str
    vocab_size: int
    epochs: int
    rate: float  # the schedule's peak
    warmup: int


# Small data wants a small model, seen often, with strong dropout (a preset's own). Peaks: tiny
# after Wu et al. 2021, the others near the paper's formula at their width.
CHOICES = (
    Choice(5_000, "tiny", 2_000, 100, 3e-3, 400),
    Choice(60_000, "tiny", 10_000, 60, 5e-3, 2000),
    Choice(400_000, "small", 12_000, 25, 1.5e-3, 4000),
    Choice(float("inf"), "base", 32_000, 10, 7e-4, 4000),
)
# On a CPU a step of base takes seconds: one size smaller trains to more in the same time.
SMALLER_ON_CPU = {"base": "small", "big": "small"}
TOKENS_A_PAIR = 20
"""A rough length of a sentence with its padding, to count updates before tokens are known."""
CHECKPOINTS = 20
"""A run is validated and saved about this often."""

FEWEST_BETWEEN = 25
"""But not after fewer updates than this."""


def complete(
    given: Mapping[str, Any], n_pairs: int, on_cpu: bool, where: str = "settings"
) -> tuple[RunConfig, list[str]]:
    """The full config of a run from what the user gave, and what was chosen and why.

    Raises: ConfigError if a given setting is unknown or impossible.
    """
    choice = next(choice for choice in CHOICES if n_pairs <= choice.pairs)
    size = given.get("size") or "auto"
    notes = []
    if size == "auto":
        size = SMALLER_ON_CPU.get(choice.size, choice.size) if on_cpu else choice.size
        notes.append(f"{n_pairs:,} training pairs on {'a CPU' if on_cpu else 'a GPU'}: size {size}")
    if not isinstance(size, str) or size not in SIZES:
        raise ConfigError(f"{where}: size={size!r} is not known. Use auto, {', '.join(SIZES)}.")
    training = given.get("training")
    training = training if isinstance(training, Mapping) else {}  # else the reader says what it is
    max_tokens, accumulate = _at(training, "max_tokens", 4096), _at(training, "accumulate", 1)
    updates_an_epoch = max(1, n_pairs * TOKENS_A_PAIR // (max_tokens * accumulate))
    updates = _at(training, "max_updates", choice.epochs * updates_an_epoch)
    often = max(min(updates, FEWEST_BETWEEN), updates // CHECKPOINTS)
    recipe = SIZES[size].training
    chosen = {
        "size": size,
        "model": asdict(SIZES[size].presets[size]),
        "tokenizer": {"vocab_size": choice.vocab_size},
        "training": {
            "schedule": "inverse-sqrt",
            "rate": choice.rate,
            **recipe,
            # The paper's formula has a peak of its own, on which the rate is but a factor.
            **({"rate": 1.0} if training.get("schedule") == "noam" else {}),
            "warmup": max(1, min(recipe.get("warmup", choice.warmup), updates // 4)),
            "max_updates": updates,
            "validate_every": often,
            "checkpoint_every": often,
            "average": 5,
        },
    }
    return build_run(merge(chosen, {**given, "size": size}), where), notes


def _at(training: Mapping[str, Any], name: str, default: int) -> int:
    value = training.get(name, default)
    if not isinstance(value, int) or value < 1:
        return default  # reading the config will say what is wrong with it
    return value
