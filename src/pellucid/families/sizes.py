"""Model sizes by the names that a run's `size` takes."""

from dataclasses import replace
from typing import Any, NamedTuple

from pellucid.families.bart import BART
from pellucid.families.catalog import LOCAL_FAMILIES, PUBLISHED_FAMILIES
from pellucid.families.mbart import MBART


class Size(NamedTuple):
    """A preset of a family."""

    family: str
    config: Any
    """The dataclass of the family's settings; `vocab_size` is 0 where the tokenizer decides."""


# No small BART or mBART is published. These have the widths of the small BERTs (Turc et al. 2019),
# with their layers in each of both stacks.
_SMALL_BARTS = {
    f"{family.name}-{name}": Size(
        family.name,
        replace(
            family.preset,
            d_model=d_model,
            n_encoder_layers=n_layers,
            n_decoder_layers=n_layers,
            n_heads=d_model // 64,
            d_ff=4 * d_model,
        ),
    )
    for family in (BART, MBART)
    for name, d_model, n_layers in (("tiny", 128, 2), ("mini", 256, 4))
}

SIZES: dict[str, Size] = {
    **{size: Size(f.name, c) for f in LOCAL_FAMILIES.values() for size, c in f.presets.items()},
    **{
        f"{f.name}-{size}": Size(f.name, c)
        for f in PUBLISHED_FAMILIES.values()
        for size, c in f.presets.items()
    },
    **_SMALL_BARTS,
}
"""Sizes of our own families by their own names, those of published ones as FAMILY-SIZE."""
