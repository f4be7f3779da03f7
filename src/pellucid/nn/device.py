"""Which device a name means."""

import os

import torch

from pellucid.errors import UsageError


def choose_device(name: str = "auto") -> torch.device:
    """The device of this name; `auto` is PELLUCID_DEVICE, else the best one here.

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
        name = next(kind for kind, here in usable.items() if here)
    if not usable.get(name.split(":")[0], False):
        here = ", ".join(kind for kind, here in usable.items() if here)
        raise UsageError(f"device {name!r} is not to be had here. Use auto, {here}.")
    return torch.device(name)
