"""Model sizes by the names that a run's `size` takes."""

from typing import Any, NamedTuple

from pellucid.families.catalog import LOCAL_FAMILIES, PUBLISHED_FAMILIES


class Size(NamedTuple):
    """A preset of a family."""

    family: str
    config: Any
    """The dataclass of the family's settings; `vocab_size` is 0 where the tokenizer decides."""


SIZES: dict[str, Size] = {
    **{size: Size(f.name, c) for f in LOCAL_FAMILIES.values() for size, c in f.presets.items()},
    **{
        f"{f.name}-{size}": Size(f.name, c)
        for f in PUBLISHED_FAMILIES.values()
        for size, c in f.presets.items()
    },
}
"""Sizes of our own families by their own names, those of published ones as FAMILY-SIZE."""
