"""What the order of tokens changes, as JSON values."""

from typing import Any

from pellucid.explain.order import can_reorder, measure_order
from pellucid.explain.rows import Rows
from pellucid.formats.bundle import Bundle

DECIMALS = 9


def describe_order(bundle: Bundle, rows: Rows) -> dict[str, Any] | None:
    """Return how far the encoder's states move if the text is read backwards; see `OrderEffect`.

    None if the model adds no position vectors.
    """
    if not can_reorder(bundle, rows):
        return None
    on, off = (measure_order(bundle, rows, has_positions=each) for each in (True, False))
    return {
        "order": on.order,
        "names": on.names,
        "on": {"distances": on.distances.round(DECIMALS).tolist(), "largest": on.largest},
        "off": {"distances": off.distances.round(DECIMALS).tolist(), "largest": off.largest},
    }
