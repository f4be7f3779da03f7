"""The share of each token in each output, by three attributions, as JSON values."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.errors import UsageError
from pellucid.explain.attribution import (
    Attribution,
    Outputs,
    input_times_gradient,
    integrated_gradients,
    leave_one_out,
)
from pellucid.explain.rows import Rows
from pellucid.explorer.long import LONGEST, is_long
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import choose_head

STEPS = 32
DECIMALS = 4


def count_gradients(bundle: Bundle, rows: Rows, head: str | None) -> int:
    """Return how many gradients `describe_attribution` computes for all outputs; 0: a long text."""
    return 0 if is_long(rows) else STEPS * _count_outputs(bundle, rows, head)


def describe_attribution(
    bundle: Bundle,
    rows: Rows,
    head: str | None,
    positions: Sequence[int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Return the share of each token in the log-probability of outputs; see `explain.attribution`.

    positions: of the outputs; None means all.
    progress: called with the number of newly computed gradients, of `count_gradients`.
    Raises: UsageError if the head gives no distribution, or the text has more than `LONGEST`
    tokens.
    """
    if is_long(rows):
        raise UsageError(
            f"the text has more than {LONGEST} tokens: too many for a share of each. Shorten it."
        )
    if positions is None:
        positions = range(_count_outputs(bundle, rows, head))
    outputs = Outputs(bundle, rows, choose_head(bundle, head), tuple(positions))
    methods = {
        "integrated": integrated_gradients(outputs, STEPS, progress),
        "gradient": input_times_gradient(outputs),
        "erasure": leave_one_out(outputs),
    }
    return {
        "steps": STEPS,
        "outputs": [
            {
                "position": position,
                "total": round(methods["integrated"][i].total, DECIMALS),
                **{name: _describe_shares(each[i]) for name, each in methods.items()},
            }
            for i, position in enumerate(positions)
        ],
    }


def _describe_shares(attribution: Attribution) -> dict[str, list[float] | None]:
    return {
        "source": _round(attribution.source),
        "target": _round(attribution.target),
    }


def _round(shares: np.ndarray | None) -> list[float] | None:
    return None if shares is None else [round(float(x), DECIMALS) for x in shares]


def _count_outputs(bundle: Bundle, rows: Rows, head: str | None) -> int:
    if bundle.model.head_configs[choose_head(bundle, head)].kind == "sequence":
        return 1
    text = rows.target or rows.source
    assert text is not None
    return len(text.tokens)
