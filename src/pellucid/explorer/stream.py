"""The residual stream of each output, and what each part adds to its logit, as JSON values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import Identity

from pellucid.errors import UsageError
from pellucid.explain.lens import state_names
from pellucid.explain.residual import is_linear, logit_contributions
from pellucid.explain.rows import Rows
from pellucid.explain.trace import Trace, TraceSpec, trace_rows
from pellucid.formats.bundle import Bundle
from pellucid.nn.heads import pool_states

SPEC_PARTS = ("embeddings", "heads", "residuals")
DIGITS = 6
BIAS = "bias"
"""The path of all constants together: biases of W_O, of norms, and of the head."""


def describe_stream(
    bundle: Bundle, rows: Rows, head: str | None, positions: Sequence[int] | None = None
) -> dict[str, Any] | None:
    """Return the size of each output's stream after each layer, and what adds up to its logit.

    positions: of the outputs; None means all. `parts` is None, and the outputs have no `logits`,
    if the head is not linear in the states. None if the model has no residual stream.
    """
    trace = trace_rows(bundle, rows, TraceSpec(SPEC_PARTS, head=head))
    prediction = trace.prediction
    names = _list_states(bundle, trace)
    if prediction is None or not names:
        return None
    if positions is None:
        positions = range(len(prediction.positions))
    outputs, parts = [], None
    pool = bundle.model.head_configs[prediction.head].pool
    for position in positions:
        if not 0 <= position < len(prediction.positions):
            raise UsageError(f"there is no position {position}.")
        row = _find_row(bundle, trace, position)
        addends = None if row is None else _split(bundle, trace, position, row)
        parts = None if addends is None else list(addends)
        outputs.append(
            {
                "position": position,
                **_measure_states([_read(trace[name], row, pool) for name in names]),
                "logits": None if addends is None else [_shorten(x) for x in addends.values()],
            }
        )
    described = parts and [{"path": path, "head": number} for path, number in parts]
    return {"states": names, "parts": described, "outputs": outputs}


def _list_states(bundle: Bundle, trace: Trace) -> list[str]:
    """Return the names of the states after the embedding and each layer, and the final norm."""
    names = state_names(bundle.model, trace.arrays)
    side = "encoder" if bundle.model.decoder is None else "decoder"
    has_norm = not isinstance(getattr(getattr(bundle.model, side), "norm", Identity()), Identity)
    return [*names, f"{side}.output"] if names and has_norm else names


def _find_row(bundle: Bundle, trace: Trace, position: int) -> int | None:
    """Return the token whose state is read for an output; None for a mixture of several."""
    assert trace.prediction is not None
    config = bundle.model.head_configs[trace.prediction.head]
    if config.kind != "sequence":
        return position
    text = trace.target or trace.source
    assert text is not None
    if config.pool == "end":
        end = bundle.special_ids.end
        return max(i for i, token in enumerate(text.tokens) if token.id == end)
    return {"first": 0, "last": len(text.tokens) - 1}.get(config.pool)


def _read(states: np.ndarray, row: int | None, pool: str) -> np.ndarray:
    """Return the state (D,) of a token of states (T, D), or what a head mixes of all of them."""
    if row is not None:
        return states[row]
    return pool_states(torch.from_numpy(states)[None], None, None, pool)[0].numpy()


def _split(
    bundle: Bundle, trace: Trace, position: int, row: int
) -> dict[tuple[str, int | None], float] | None:
    """Return what each part adds to the logit of a position's output; biases are one part."""
    prediction = trace.prediction
    assert prediction is not None
    if not is_linear(bundle.model, prediction.head):
        return None
    output = prediction.positions[position]
    choice = (output.chosen or output.candidates[0]).id
    sums: dict[tuple[str, int | None], float] = {}
    for name, logit in logit_contributions(trace, bundle.model, row, choice, prediction.head):
        path, _, number = name.partition(".head.")
        part = (BIAS if path.endswith(".bias") else path, int(number) if number else None)
        sums[part] = sums.get(part, 0.0) + logit
    return sums


def _measure_states(vectors: Sequence[np.ndarray]) -> dict[str, list[float]]:
    """Return the norm of each of some vectors (D,), and its cosine to the last one."""
    states = np.stack(vectors).astype(np.float64)  # (L + 2, D)
    norms = np.linalg.norm(states, axis=-1)
    cosines = states @ states[-1] / np.maximum(norms * norms[-1], np.finfo(float).tiny)
    return {
        "norms": [_shorten(x) for x in norms],
        "cosines": [_shorten(x) for x in cosines],
    }


def _shorten(x: float) -> float:
    return float(f"{x:.{DIGITS}g}")
