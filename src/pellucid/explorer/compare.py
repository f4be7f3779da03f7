"""Two traces on one page: of two models, or of two texts in one model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pellucid.formats.bundle import Bundle


def describe_comparison(
    contents: Sequence[Mapping[str, Any]],
    bundles: Sequence[Bundle],
    differs: Literal["models", "texts"],
) -> dict[str, Any]:
    """Return the content of a page that compares the second of two contents with the first.

    differs: what the two do not have in common. Only states of one model have coordinates that
    can be compared, and only outputs over one vocabulary have a divergence.
    """
    first, second = (bundle.tokenizers.target for bundle in bundles)
    has_one_vocabulary = first.pieces_by_id == second.pieces_by_id
    comparison = {"differs": differs, "has_one_vocabulary": has_one_vocabulary}
    return {**contents[0], "second": contents[1], "comparison": comparison}


def name_apart(first: str, second: str) -> tuple[str, str]:
    """Return short names of two models: the ends of their paths from where they differ.

    runs/a/final and runs/b/final are a/final and b/final.
    """
    paths = Path(first).parts, Path(second).parts
    for n in range(1, max(map(len, paths)) + 1):
        ends = tuple("/".join(parts[-n:]) for parts in paths)
        if ends[0] != ends[1]:
            return ends[0], ends[1]
    return first, second
