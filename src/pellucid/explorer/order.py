"""What the order of tokens changes, as JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pellucid.errors import UsageError
from pellucid.explain.order import can_reorder, find_order, measure_order, turn_around
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle

DECIMALS = 9


def describe_order(bundle: Bundle, rows: Rows) -> dict[str, Any] | None:
    """Return how far the encoder's states move if the text is read backwards; see `OrderEffect`.

    None if the model adds no position vectors, or the text has no direction.
    """
    return _describe(bundle, rows, turn_around(rows)) if can_reorder(bundle, rows) else None


def compare_orders(bundle: Bundle, rows: Rows, other: Rows | None) -> dict[str, Any]:
    """Return how far the encoder's states move in another text of the same tokens.

    other: the other text; None: the text backwards.
    Raises: UsageError as `find_order` and `measure_order`, or if the text is a pair.
    """
    if rows.source is None or len(rows.source.texts) > 1:
        raise UsageError("only one text that an encoder reads can be put in another order.")
    order = turn_around(rows) if other is None else find_order(rows, other)
    return _describe(bundle, rows, order)


def _describe(bundle: Bundle, rows: Rows, order: Sequence[int]) -> dict[str, Any]:
    on, off = (measure_order(bundle, rows, order, has_positions=each) for each in (True, False))
    assert rows.source is not None
    return {
        "tokens": [asdict(token) for token in rows.source.tokens],
        "order": on.order,
        "names": on.names,
        "on": {"distances": on.distances.round(DECIMALS).tolist(), "largest": on.largest},
        "off": {"distances": off.distances.round(DECIMALS).tolist(), "largest": off.largest},
    }
