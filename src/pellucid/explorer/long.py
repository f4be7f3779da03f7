"""A long text in a live page: its arrays are computed when a stop needs them.

A trace of 512 tokens has more numbers than a process should keep, or a browser should read at once.
So the page gets the shapes of all arrays, the size of each token's states, and the weights that the
map shows; it asks for the rest by name and head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.encode import encode_array
from pellucid.explain.lens import predict_states, state_names
from pellucid.explain.names import attention_sides, name_array
from pellucid.explain.rows import Rows
from pellucid.explain.trace import TraceSpec, record_arrays, trace_rows
from pellucid.explorer.compact import TOP, encode_top
from pellucid.explorer.content import LENS_TOP, describe_trace, ranks_outputs, shorten_layers
from pellucid.formats.bundle import Bundle
from pellucid.taps import edit, taps

LONGEST = 128
"""Tokens of the longest text whose trace is sent at once."""
MAX_ARRAYS = 32
ALL = -1
NOTHING = "nothing"
"""The name of no array."""
DIGITS = 5
LOGITS, WEIGHTS = ".logits", ".weights"


def is_long(rows: Rows) -> bool:
    """Return whether a text, or what the model writes for it, has more than `LONGEST` tokens."""
    texts = (rows.source, rows.target)
    return any(len(text.tokens) > LONGEST for text in texts if text is not None)


def describe_long(bundle: Bundle, rows: Rows, head: str | None, name: str) -> dict[str, Any]:
    """Return the content of a page whose arrays are asked for; see `describe_arrays`.

    Arrays are stubs, which have a shape alone, but for the weights of the attention that the map
    shows. `sizes` has the root mean square of each token in arrays (T, D).
    """
    measured = _Measured()
    with edit(bundle.model, TraceSpec().includes, measured):
        trace = trace_rows(bundle, rows, TraceSpec(head=head, names=(_find_shown(bundle),)))
    content = describe_trace(bundle, trace, name, full=True)
    stubs = {path: {"shape": shape} for path, shape in measured.shapes.items()}
    encoded = content["trace"]
    arrays = {**stubs, **encoded["arrays"]}
    return {**content, "trace": {**encoded, "arrays": arrays, "sizes": measured.sizes}}


def describe_arrays(
    bundle: Bundle, rows: Rows, head: str | None, names: Sequence[str], number: int
) -> dict[str, dict[str, Any]]:
    """Return arrays of the trace of a text, encoded, by name.

    number: of the attention head whose part of an array (H, T, S) is sent; `ALL` for all heads.
    Raises: UsageError if the trace has no such array or head, or too many are asked for.
    """
    if len(names) > MAX_ARRAYS:
        raise UsageError(f"{len(names)} arrays are more than {MAX_ARRAYS} at once.")
    arrays = record_arrays(bundle, rows, names, head)
    return {name: _encode(name, arrays[name], number) for name in names}


def describe_long_layers(bundle: Bundle, rows: Rows, head: str | None) -> list[dict[str, Any]]:
    """Return the prediction on the states of each layer, as `describe_layers` does.

    Only these states are kept, and the logits of a part of the positions.
    Raises: UsageError if there are no such states, or the head does not rank its outputs.
    """
    names = state_names(bundle.model, [name_array(path) for path in taps(bundle.model)])
    if not names or not ranks_outputs(bundle, head):
        raise UsageError("this model has no layers after which outputs could be ranked.")
    arrays = record_arrays(bundle, rows, names, head)
    states = (arrays.pop(name) for name in names)
    return shorten_layers(predict_states(bundle, rows, states, head, LENS_TOP))


def _encode(name: str, array: np.ndarray, number: int) -> dict[str, Any]:
    if array.ndim == 3 and number != ALL:
        if not 0 <= number < len(array):
            raise UsageError(f"{name[:60]!r} has {len(array)} heads, from 0: none is {number}.")
        array = array[number]
    has_top = name.endswith(LOGITS) and array.ndim == 2 and array.shape[1] > 2 * TOP
    return (encode_top if has_top else encode_array)(array)


@dataclass
class _Measured:
    """Keeps the shape of what passes a tap, and the size of each token's states."""

    shapes: dict[str, list[int]] = field(default_factory=dict)
    sizes: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, path: str, x: Tensor) -> Tensor:
        name = name_array(path)
        has_batch = x.dim() > 2 or path.startswith("heads.")
        one = x[0] if has_batch else x
        shape = list(one.shape)
        if name in self.shapes and len(shape) > 1:  # a text that is read in pieces
            shape[-2] += self.shapes[name][-2]
        self.shapes[name] = shape
        if one.dim() == 2 and not path.startswith("heads."):
            sizes = one.float().square().mean(-1).sqrt().tolist()
            known = self.sizes.setdefault(name, [])
            known += [float(f"{size:.{DIGITS}g}") for size in sizes]
        return x


def _find_shown(bundle: Bundle) -> str:
    """Return the name of the weights that the map shows: of the last attention to the source."""
    names = [name_array(path) for path in taps(bundle.model) if path.endswith(WEIGHTS)]
    cross = [name for name in names if attention_sides(name.removesuffix(WEIGHTS))[1] == "source"]
    is_pair = bundle.model.encoder is not None and bundle.model.decoder is not None
    chosen = [name for name in cross if name.startswith("decoder.")] if is_pair else names
    return chosen[-1] if chosen else NOTHING
