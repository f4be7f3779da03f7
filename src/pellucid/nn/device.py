"""The choice of a device by name."""

import os

import torch

from pellucid.errors import UsageError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of this name; `auto` is PELLUCID_DEVICE, else the fastest kind present.

    Raises: UsageError if this machine or this build of torch has no such device.
    """
    if name == "auto":
        name = os.environ.get("PELLUCID_DEVICE", "auto")
    usable = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, is_usable in usable.items() if is_usable)
    if not usable.get(name.split(":")[0], False):
        known = ", ".join(kind for kind, is_usable in usable.items() if is_usable)
        raise UsageError(f"device {name!r} is not available on this machine. Use auto, {known}.")
    return torch.device(name)


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed the default random generators of the CPU and of this device.

    `torch.manual_seed` seeds those of all kinds of devices; where it only notes the seed for a
    device that is not used, that takes longer than a small layer.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
