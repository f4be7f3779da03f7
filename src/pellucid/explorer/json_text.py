"""What the explorer's page reads, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from pellucid.errors import DataError


def dump_json(content: Mapping[str, Any]) -> str:
    """Return JSON without spaces. Raises: DataError if a number is infinite or not a number."""
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise DataError(
            "the model computes numbers that are infinite or not a number (NaN), which the page"
            " cannot show. Its training has diverged, or its weights are damaged: see pellucid"
            " verify."
        ) from None
