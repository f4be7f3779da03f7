"""The trace of a text: every intermediate result of a model that reads it, and writes one.

The numbers come from the modules that train and serve the model, at their taps. One forward pass
over the finished text gives for each position of a decoder what the search computed there step by
step, so a decoder's rows are those of the text that was chosen in the end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.derive import derive
from pellucid.explain.model_facts import describe_model
from pellucid.explain.names import name_array
from pellucid.explain.prediction import Prediction, Text, predict
from pellucid.explain.rows import Rows, TracedText, Writing, read_rows
from pellucid.formats.bundle import Bundle
from pellucid.formats.head_logits import head_logits
from pellucid.inference.logits import check_inputs, choose_head
from pellucid.nn.attention import Attention
from pellucid.nn.base import Model
from pellucid.taps import record, taps

SCHEMA = 1
PARTS = {
    "embeddings": ("*.embedding.*",),
    "attention": ("*.weights",),
    "scores": ("*.scores", "*.distances", "*.distances.bias"),
    "projections": ("*.queries", "*.keys", "*.values"),
    "heads": ("*.context",),
    "residuals": ("*.added", "*.layers.*.output", "*coder.output", "*.states"),
    "feed_forward": ("*.expanded", "*.gates", "*.hidden"),
    "logits": ("heads.*",),
}
"""The parts of a trace, and the taps of each."""


@dataclass(frozen=True)
class TraceSpec:
    """What a trace contains."""

    parts: tuple[str, ...] = ()
    """Names of `PARTS`; none means all that the model has."""
    layers: tuple[int, ...] = ()
    """Numbers of layers, from 0; none means all."""
    head: str | None = None
    """The head that predicts; may be left out where there is one."""
    top: int = 10
    """How many of the most probable tokens are named at each position."""
    names: tuple[str, ...] = ()
    """Names of single arrays, as in the trace; none means all that `parts` and `layers` leave."""

    def __post_init__(self) -> None:
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown:
            raise UsageError(f"a trace has no part {unknown[0]!r}. Parts: {', '.join(PARTS)}.")
        if self.top < 1:
            raise UsageError(f"top={self.top}: name 1 token or more.")

    def includes(self, path: str) -> bool:
        """Return whether the tap of a path is part of the trace."""
        if self.names and name_array(path) not in self.names:
            return False
        numbers = [int(word) for word in path.split(".") if word.isdigit()]
        if self.layers and "layers" in path.split(".") and numbers[0] not in self.layers:
            return False
        return any(_matches(path, part) for part in self.parts or PARTS)


@dataclass(frozen=True)
class Trace:
    """A text's way through a model, as plain data."""

    model: Mapping[str, object]
    """Family, shape and settings of the model."""
    source: TracedText | None
    """What the encoder read; None for a decoder alone."""
    target: TracedText | None
    """What the decoder read; None for an encoder alone."""
    prediction: Prediction | None
    """What the head says; None for a model without a head."""
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    """float32, by the path of the tap without `inner`: `encoder.layers.0.attention.weights`.
    Those of heads are (H, T, S) or (H, T, K), others (T, D)."""
    scales: Mapping[str, float] = field(repr=False)
    """What each attention multiplies its scores by, by its path."""
    schema: int = SCHEMA

    def __getitem__(self, name: str) -> np.ndarray:
        """Return an array of the trace, or one that follows from others; see `explain.derive`.

        Raises: UsageError naming what there is.
        """
        array = self.arrays.get(name)
        if array is None:
            array = derive(self.arrays, self.scales, name)
        if array is None:
            last = sorted({each.rpartition(".")[2] for each in self.arrays})
            raise UsageError(
                f"this trace has no array {name!r}. Its names end in: {', '.join(last)}."
            )
        return array

    @property
    def attentions(self) -> tuple[str, ...]:
        """The paths of the attentions, such as `decoder.layers.0.cross`."""
        end = ".weights"
        return tuple(name.removesuffix(end) for name in self.arrays if name.endswith(end))


def trace(
    bundle: Bundle, text: str, spec: TraceSpec | None = None, writing: Writing | None = None
) -> Trace:
    """Return the trace of a text.

    text: two texts with a tab between them are a pair. An encoder-decoder translates the text, a
    decoder alone continues it, as `writing` says.
    Raises: UsageError if the text is empty or longer than the model reads, or if the model lacks a
    part that `spec` names.
    """
    spec = spec or TraceSpec()
    _check_parts(bundle.model, spec)
    rows = read_rows(bundle, text, writing or Writing())
    return trace_rows(bundle, rows, spec)


@torch.inference_mode()
def trace_rows(bundle: Bundle, rows: Rows, spec: TraceSpec) -> Trace:
    """Return the trace of one forward pass. Raises: UsageError as `check_has_layers`."""
    check_has_layers(bundle)
    inputs = check_inputs(bundle, rows.inputs)
    head = choose_head(bundle, spec.head) if bundle.model.head_configs else None
    outputs = prediction = None
    with record(bundle.model, spec.includes) as recorded:
        if head is None:
            bundle.model(*inputs)
        else:
            outputs = head_logits(bundle, inputs, head)[0]
    if head is not None and outputs is not None and bundle.model.head_configs[head].predicts:
        text = Text(rows.next_ids, rows.words)
        prediction = predict(bundle, head, outputs, spec.top, text)
    return Trace(
        model=describe_model(bundle),
        source=rows.source,
        target=rows.target,
        prediction=prediction,
        arrays={name_array(path): _to_array(path, calls) for path, calls in recorded.items()},
        scales=dict(_attention_scales(bundle.model)),
    )


def check_has_layers(bundle: Bundle) -> None:
    """Raises: UsageError if a model computes nothing between a text and its output."""
    if not taps(bundle.model):
        raise UsageError(
            f"this model ({bundle.family}) consists of tables of probabilities: it has no layers"
            " whose results could be shown. Use its own verb (tag), or look into a model with"
            " layers, such as size bilstm."
        )


@torch.inference_mode()
def record_arrays(
    bundle: Bundle, rows: Rows, names: Sequence[str], head: str | None = None
) -> dict[str, np.ndarray]:
    """Return single arrays of the trace of a text by their names, and keep no others.

    Raises: UsageError naming an array that the trace does not have.
    """
    known = {name_array(path): path for path in taps(bundle.model)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"this trace has no array {unknown[0][:60]!r}.")
    inputs = check_inputs(bundle, rows.inputs)
    with record(bundle.model, lambda path: name_array(path) in names) as recorded:
        if bundle.model.head_configs:
            head_logits(bundle, inputs, choose_head(bundle, head))
        else:
            bundle.model(*inputs)
    return {name_array(path): _to_array(path, calls) for path, calls in recorded.items()}


def _check_parts(model: Model, spec: TraceSpec) -> None:
    """Raises: UsageError if the model has no tap of a part or no layer that is asked for."""
    paths = list(taps(model))
    for part in spec.parts:
        if not any(_matches(path, part) for path in paths):
            raise UsageError(f"this model has nothing of part {part!r}. Leave it out.")
    n_layers = max((len(stack.layers) for stack in _stacks(model)), default=0)
    wrong = [layer for layer in spec.layers if not 0 <= layer < n_layers]
    if wrong:
        raise UsageError(f"there is no layer {wrong[0]}: this model has {n_layers}, from 0.")


def _matches(path: str, part: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in PARTS[part])


def _stacks(model: Model) -> list:
    return [s for s in (model.encoder, model.decoder) if hasattr(s, "layers")]


def _attention_scales(model: Model) -> Iterator[tuple[str, float]]:
    for path, module in model.named_modules():
        if isinstance(module, Attention):
            yield name_array(path), module.scale


def _to_array(path: str, calls: list[Tensor]) -> np.ndarray:
    """Return what passed a tap of one text, (1, ..., T, D) at each call, as one array."""
    joined = calls[0] if len(calls) == 1 else torch.cat(calls, -2)
    array = joined.float().cpu().numpy()
    has_batch = array.ndim > 2 or path.startswith("heads.")  # a table of positions has none
    return array[0] if has_batch else array
