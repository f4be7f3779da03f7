"""The Transformer, whole and see-through: train, measure, translate and explain."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["load", "train"]


def __getattr__(name: str) -> Any:
    """Public names, imported when first asked for: `import pellucid` alone costs nothing."""
    if name == "load":
        from pellucid.api import load

        return load
    if name == "train":
        from pellucid.api import train

        return train
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
