"""Opening a model for a verb, with the process prepared for it."""

import os
from typing import TYPE_CHECKING, Literal

from pellucid import allocator

if TYPE_CHECKING:
    from pellucid.api import Loaded


def load_model(
    name: str,
    device: str,
    dtype: Literal["fp32", "bf16", "int8"] = "fp32",
    *,
    compile: bool = False,
    decodes: bool = True,
) -> "Loaded":
    """Load the model of a name or directory.

    compile: as of `pellucid.load`. decodes: whether it generates text token by token, which one
    thread does fastest.
    Raises: DataError, VerificationError, ConfigError as `pellucid.load`.
    """
    allocator.prepare_for_steps()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads would not survive a fork
    from pellucid.api import load
    from pellucid.nn import kernels

    if decodes:
        kernels.decode_on_one_thread()
    return load(name, device=device, dtype=dtype, compile=compile)
