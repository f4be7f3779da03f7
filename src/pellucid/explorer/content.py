"""What the page shows, as JSON values."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import torch

from pellucid import __version__
from pellucid.explain.ablation import Effect, measure_effects
from pellucid.explain.lens import logit_lens, state_names
from pellucid.explain.outputs import DISTRIBUTIONS, name_reading
from pellucid.explain.prediction import Prediction, name_output
from pellucid.explain.rows import Rows
from pellucid.explain.trace import Trace, TraceSpec, trace_rows
from pellucid.explorer.ablated_parts import list_parts
from pellucid.explorer.compact import encode_compact, encode_full, is_large
from pellucid.formats.bundle import Bundle
from pellucid.inference.logits import choose_head

LENS_TOP = 3
DECIMALS = 5
DIGITS = 5
RANKED = (*DISTRIBUTIONS, "multi_label")


def describe_text(
    bundle: Bundle, rows: Rows, head: str | None, name: str, *, full: bool = False
) -> dict[str, Any]:
    """Return the trace of a text and its prediction after each layer.

    full: store numbers in float16, however many there are; see `encode_full`.
    Raises: UsageError if the model has no such head.
    """
    trace = trace_rows(bundle, rows, TraceSpec(head=head))
    content = describe_trace(bundle, trace, name, full=full)
    if trace.prediction is not None:
        content["lens"] = describe_layers(bundle, trace, head)
    return content


def describe_trace(
    bundle: Bundle, trace: Trace, name: str, *, full: bool = False
) -> dict[str, Any]:
    """Return a trace with the model's name and the conditions under which it was measured.

    A large trace is compact unless `full`; see `explorer.compact`.
    """
    encoded = (encode_compact if is_large(trace) and not full else encode_full)(trace)
    return {"name": name, "trace": encoded, "conditions": describe_conditions(bundle)}


def describe_conditions(bundle: Bundle) -> dict[str, Any]:
    """Return under which conditions a model computes."""
    weight = next(bundle.model.parameters())
    return {
        "version": __version__,
        "torch": torch.__version__,
        "device": weight.device.type,
        "dtype": str(weight.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def describe_layers(bundle: Bundle, trace: Trace, head: str | None) -> list[dict[str, Any]]:
    """Return the prediction on the states of each layer, the embedding first; see `logit_lens`.

    A model without a residual stream, as the recurrent one, has none; nor has a head whose outputs
    are not ranked.
    """
    if not ranks_outputs(bundle, head) or not state_names(bundle.model, trace.arrays):
        return []
    return shorten_layers(logit_lens(bundle, trace, head, LENS_TOP))


def ranks_outputs(bundle: Bundle, head: str | None) -> bool:
    """Return whether one output of a head is the most probable of several."""
    if not bundle.model.head_configs:
        return False
    name = choose_head(bundle, head)
    config = bundle.model.head_configs[name]
    return config.predicts and config.kind != "score" and name_reading(name, config) in RANKED


def shorten_layers(lens: Iterable[Prediction]) -> list[dict[str, Any]]:
    """Return predictions as JSON values whose numbers have the digits that a page can show."""
    return [_shorten(asdict(each)) for each in lens]


def _shorten(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _shorten(each) for name, each in value.items()}
    return [_shorten(each) for each in value] if isinstance(value, (list, tuple)) else value


def describe_effects(
    bundle: Bundle, rows: Rows, head: str | None, progress: Callable[[int], None] | None = None
) -> list[dict[str, Any]]:
    """Return what changes when each part of `list_parts` is off, one at a time.

    `log_probs`: change of the log-probability of each position's chosen output. `divergences`: of
    the new distribution of each position from the original one, in nats. `instead`: by position,
    the output that is most probable then, where it is another one.
    progress: called with the number of newly measured parts.
    Raises: UsageError if the output head gives no distribution.
    """
    parts = list_parts(bundle.model)
    effects = measure_effects(bundle, rows, [switches for _, _, switches in parts], head)
    described = []
    for (path, number, _), effect in zip(parts, effects, strict=True):
        described.append({"path": path, "head": number, **describe_effect(bundle, head, effect)})
        if progress is not None:
            progress(1)
    return described


def describe_effect(bundle: Bundle, head: str | None, effect: Effect) -> dict[str, Any]:
    """Return an effect as JSON values, rounded to what a page can show."""
    config = bundle.model.head_configs[choose_head(bundle, head)]
    changed = ((i, new) for i, new in enumerate(effect.instead) if new is not None)
    return {
        "log_probs": [round(each, DECIMALS) for each in effect.log_probs],
        "divergences": [round(each, DECIMALS) for each in effect.divergences],
        "instead": {str(i): name_output(bundle, config, new) for i, new in changed},
    }
