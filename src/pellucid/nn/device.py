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
