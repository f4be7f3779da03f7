"""The Transformer, whole and see-through: train, measure, translate and explain."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.api import load, load_vectors, train

__version__ = "0.1.0"
__all__ = ["load", "load_vectors", "train"]


def __getattr__(name: str) -> Any:
    """Public names, imported when first asked for: `import pellucid` alone costs nothing."""
    if name in __all__:
        from pellucid import api

        return getattr(api, name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
