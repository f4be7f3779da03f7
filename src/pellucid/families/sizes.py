"""Model sizes by the names that a run's `size` takes."""

from dataclasses import replace
from typing import Any, NamedTuple

from pellucid.families.bart import BART
from pellucid.families.catalog import LOCAL_FAMILIES, PUBLISHED_FAMILIES


class Size(NamedTuple):
    """A preset of a family."""

    family: str
    config: Any
    """The dataclass of the family's settings; `vocab_size` is 0 where the tokenizer decides."""


# No small BART is published. These have the widths of the small BERTs (Turc et al. 2019), with
# their layers in each of both stacks.
_SMALL_BARTS = {
    "bart-tiny": replace(
        BART.preset, d_model=128, n_encoder_layers=2, n_decoder_layers=2, n_heads=2, d_ff=512
    ),
    "bart-mini": replace(
        BART.preset, d_model=256, n_encoder_layers=4, n_decoder_layers=4, n_heads=4, d_ff=1024
    ),
}

SIZES: dict[str, Size] = {
    **{size: Size(f.name, c) for f in LOCAL_FAMILIES.values() for size, c in f.presets.items()},
    **{
        f"{f.name}-{size}": Size(f.name, c)
        for f in PUBLISHED_FAMILIES.values()
        for size, c in f.presets.items()
    },
    **{size: Size(BART.name, c) for size, c in _SMALL_BARTS.items()},
}
"""Sizes of our own families by their own names, those of published ones as FAMILY-SIZE."""
