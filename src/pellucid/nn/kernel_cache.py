"""Choose the kernels for this machine: pinned, from cached speeds, or measured now."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch

from pellucid.errors import DataError, PellucidError, ResourceError
from pellucid.files import atomic_write, user_cache
from pellucid.json_files import dump_json, read_json
from pellucid.nn.cpu import cpu_facts
from pellucid.nn.kernel_choice import (
    FUSED,
    MATMUL,
    VARIABLE,
    KernelChoices,
    choose_by_speed,
    read_pinned_choices,
)
from pellucid.nn.kernel_speeds import Speeds, measure

REQUIRED = {"fp32", MATMUL, FUSED}
"""Candidates that every machine has. A cache without one is older than it."""


@dataclass(frozen=True)
class Decision:
    """The kernels chosen for this machine, and the reason."""

    choices: KernelChoices
    reason: str
    speeds: Mapping[str, float] = field(default_factory=dict)
    """Median GFLOP/s of each candidate; empty if nothing was measured."""


def choose_kernels(device: torch.device) -> Decision:
    """Choose the kernels of training. CPUs are measured once per machine and torch version.

    If the cache is damaged or cannot be written, the default is chosen. Otherwise each process
    would measure again and might choose differently.
    Raises: UsageError if PELLUCID_KERNELS is invalid.
    """
    pin = read_pinned_choices()
    if pin is not None:
        return Decision(pin, f"pinned by {VARIABLE}")
    if device.type != "cpu":
        bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return Decision(KernelChoices(bf16=bf16), f"bf16 where {device.type} supports it")
    key = f"{cpu_name()}, torch {torch.__version__}"
    try:
        path = cache_path()
        cache = _read(path)
    except (OSError, PellucidError) as error:
        reason = f"the default, because the cache of measured speeds cannot be read: {error}"
        return Decision(KernelChoices(), reason)
    if not cache.get(key, {}).keys() >= REQUIRED:
        cache[key] = measure()
        try:
            atomic_write(path, dump_json(cache))
        except (OSError, ResourceError) as error:
            reason = f"the default, because the measured speeds cannot be kept: {error}"
            return Decision(KernelChoices(), reason, _medians(cache[key]))
    return Decision(choose_by_speed(cache[key]), f"measured on {key}", _medians(cache[key]))


def cache_path() -> Path:
    """Return the path of the file of measured speeds."""
    return user_cache() / "kernels.json"


def cpu_name() -> str:
    """Return the model name of the CPU and a digest of its instruction sets.

    The name is not enough: virtual machines give different CPUs the same name.
    """
    fields = cpu_facts()
    if not fields:
        return f"{platform.processor() or platform.machine()}"
    flags = fields.get("flags") or fields.get("Features") or ""
    name = fields.get("model name") or platform.machine()
    return f"{name} ({hashlib.sha256(flags.encode()).hexdigest()[:8]})"


def _read(path: Path) -> dict[str, Speeds]:
    """Return the cached speeds by machine. Raises: OSError, PellucidError if damaged."""
    if not path.exists():
        return {}
    cache = read_json(path)
    if not (isinstance(cache, dict) and all(map(_are_speeds, cache.values()))):
        raise DataError(f"{path} does not hold speeds. Delete it.")
    return cache


def _are_speeds(value: object) -> bool:
    return (
        isinstance(value, dict)
        and "fp32" in value
        and all(
            isinstance(rounds, list)
            and rounds
            and all(isinstance(speed, (int, float)) and speed > 0 for speed in rounds)
            for rounds in value.values()
        )
    )


def _medians(speeds: Speeds) -> dict[str, float]:
    return {name: median(rounds) for name, rounds in speeds.items()}
