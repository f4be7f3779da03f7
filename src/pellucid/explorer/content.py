"""What the page shows, as JSON values."""

from typing import Any

import torch

from pellucid import __version__
from pellucid.explain.encode import encode
from pellucid.explain.trace import Trace
from pellucid.formats.bundle import Bundle


def describe_trace(bundle: Bundle, trace: Trace, name: str) -> dict[str, Any]:
    """Return a trace with the model's name and the conditions under which it was measured."""
    weight = next(bundle.model.parameters())
    return {
        "name": name,
        "trace": encode(trace),
        "conditions": {
            "version": __version__,
            "torch": torch.__version__,
            "device": weight.device.type,
            "dtype": str(weight.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
        },
    }
