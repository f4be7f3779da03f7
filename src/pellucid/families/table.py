"""The table of families in docs/families.md; `python -m pellucid.families.table` prints it."""

from collections.abc import Mapping
from typing import Any

from pellucid.config.model import ModelConfig
from pellucid.families.catalog import PUBLISHED_FAMILIES
from pellucid.families.family import Family

COLUMNS = ("family", "shape", "norm", "positions", "activation", "tied", "objective", "heads")
POSITIONS = {
    "sinusoid": "sinusoids",
    "sinusoid-halves": "sinusoids, sines first",
    "sinusoid-real": "sinusoids of real tokens, sines first",
    "learned": "learned",
    "learned-real": "learned, of real tokens",
    "buckets": "bias by distance",
    "none": "none",
}


def table() -> str:
    """Return the table in Markdown, one row a family, built from the presets."""
    rows = [
        COLUMNS,
        ("---",) * len(COLUMNS),
        *(row(family) for family in PUBLISHED_FAMILIES.values()),
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def row(family: Family) -> tuple[str, ...]:
    """Return one family's cells."""
    c = family.preset
    heads = dict.fromkeys(head.name for heads in family.heads.values() for head in heads)
    return (
        family.name,
        shape(c),
        _norm(c),
        family.positions or _positions(c),
        c.activation + (", gated" if c.gated else ""),
        {"all": "yes", "inputs": "inputs", "decoder": "decoder", "none": "no"}[c.tie_embeddings],
        family.objective,
        ", ".join(heads),
    )


def shape(c: ModelConfig) -> str:
    """Return which of the two stacks a model has."""
    if c.n_encoder_layers and c.n_decoder_layers:
        return "encoder-decoder"
    return "encoder" if c.n_encoder_layers else "decoder"


def differences(one: Family, other: Family) -> Mapping[str, tuple[Any, Any]]:
    """Return the settings in which two families' presets differ, each with its two values."""
    first, second = one.preset, other.preset
    names = {**type(first).__dataclass_fields__, **type(second).__dataclass_fields__}
    pairs = {name: (getattr(first, name, None), getattr(second, name, None)) for name in names}
    pairs["objective"] = (one.objective, other.objective)
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


def _positions(c: ModelConfig) -> str:
    return POSITIONS[c.positions] + (f", from {c.first_position}" if c.first_position else "")


def _norm(c: ModelConfig) -> str:
    kind = "" if c.norm == "layer" else " RMS"
    return f"{c.norm_place}{kind}{', on the embeddings' if c.embedding_norm else ''}"


if __name__ == "__main__":
    print(table(), end="")
