"""Answers to what a live page asks: a request as JSON values in, the reply as JSON values out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pellucid.config.read import build
from pellucid.errors import UsageError
from pellucid.explain.ablation import measure_group, switched_off
from pellucid.explain.rows import read_rows
from pellucid.explorer.ablated_parts import AblatedPart, find_switches, read_parts
from pellucid.explorer.attribution import describe_attribution
from pellucid.explorer.content import describe_effect, describe_effects
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.long import ALL, describe_arrays, describe_long_layers
from pellucid.explorer.order import compare_orders
from pellucid.explorer.patching import describe_patches
from pellucid.explorer.request import TextRequest
from pellucid.explorer.search import SearchRequest, search_again
from pellucid.explorer.stream import describe_stream

WHERE = "the request"
Record = Mapping[str, Any]


def respond(model: LiveModel, record: object) -> dict[str, Any]:
    """Return the reply to a request: `{"ask": "trace", "text": {"text": "The cat sleeps."}}`.

    `ask` is one of `ASKS`, `text` the fields of a `TextRequest`; some need `off`, the parts of the
    model that are off, each the fields of an `AblatedPart`.
    Raises: UsageError or ConfigError saying what the model or the request lacks.
    """
    if not isinstance(record, Mapping):
        raise UsageError("the request is not a JSON object.")
    name = str(record.get("ask"))[:40]
    if name not in ASKS:
        raise UsageError(f"the request asks for {name!r}. Known: {', '.join(ASKS)}.")
    rest = {key: value for key, value in record.items() if key != "ask"}
    return ASKS[name](model, rest)


@dataclass(frozen=True)
class AboutText:
    """A request about a text."""

    text: TextRequest


@dataclass(frozen=True)
class AboutOutput:
    """A request about one output for a text."""

    text: TextRequest
    position: int = 0


def _trace(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return the content of a page, see `LiveModel.describe`."""
    return model.describe(build(AboutText, record, WHERE).text)


def _effects(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return what changes without each head, each sublayer, and positions."""
    about = build(AboutText, record, WHERE)
    return {
        "effects": describe_effects(model.bundle, model.read(about.text), about.text.chosen_head)
    }


@dataclass(frozen=True)
class AboutTexts(AboutText):
    """A request about a text and another one."""

    other: str = ""


@dataclass(frozen=True)
class AboutSearch(AboutText):
    """A request for a search."""

    search: SearchRequest = field(default_factory=SearchRequest)


def _order(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return what the order of the tokens changes; without `other`, the text is turned around."""
    about = build(AboutTexts, record, WHERE)
    rows = model.read(about.text)
    writing = replace(about.text.writing, target="", max_new=0)  # only what is read counts
    other = read_rows(model.bundle, about.other, writing) if about.other.strip() else None
    return {"order": compare_orders(model.bundle, rows, other)}


def _search(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return what a beam search with the settings of `search` considers."""
    about = build(AboutSearch, record, WHERE)
    text = about.text
    return {"search": search_again(model.bundle, text.text, text.writing, about.search)}


def _patch(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return what the states of `other` do in the run of the text; see `describe_patches`."""
    about = build(AboutTexts, record, WHERE)
    return describe_patches(model.bundle, model.read(about.text), about.text, about.other)


@dataclass(frozen=True)
class AboutArrays:
    """A request for arrays of the trace of a text."""

    text: TextRequest
    names: tuple[str, ...] = ()
    number: int = ALL
    """Of an attention head."""


def _arrays(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return arrays of the trace; see `describe_arrays`."""
    about = build(AboutArrays, record, WHERE)
    rows, head = model.read(about.text), about.text.chosen_head
    return {"arrays": describe_arrays(model.bundle, rows, head, about.names, about.number)}


def _lens(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return the prediction after each layer of a long text; the content of others has it."""
    about = build(AboutText, record, WHERE)
    rows, head = model.read(about.text), about.text.chosen_head
    return {"lens": describe_long_layers(model.bundle, rows, head)}


def _attribution(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return the share of each token in an output."""
    about = build(AboutOutput, record, WHERE)
    rows, head = model.read(about.text), about.text.chosen_head
    return describe_attribution(model.bundle, rows, head, [about.position])


def _stream(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return the residual stream of an output; `stream` is None if the model has none."""
    about = build(AboutOutput, record, WHERE)
    rows, head = model.read(about.text), about.text.chosen_head
    return {"stream": describe_stream(model.bundle, rows, head, [about.position])}


def _off(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return what changes without the parts of `off`, and the prediction then."""
    about, parts = _read_off(record)
    rows = model.read(about.text)
    switches = find_switches(model.bundle.model, parts, rows)
    head = about.text.chosen_head
    changed = measure_group(model.bundle, rows, switches, head)
    positions = [asdict(position) for position in changed.prediction.positions]
    return {**describe_effect(model.bundle, head, changed.effect), "positions": positions}


def _rewrite(model: LiveModel, record: Record) -> dict[str, Any]:
    """Return what the model writes without the parts of `off`."""
    about, parts = _read_off(record)
    if about.text.target or any(part.is_bound for part in parts):
        raise UsageError(
            "edges and tokens of a written text belong to it: no other can be written."
        )
    switches = find_switches(model.bundle.model, parts, model.read(about.text))
    with switched_off(model.bundle.model, [switches]):
        rows = read_rows(model.bundle, about.text.text, about.text.writing)
    return {"target": None if rows.target is None else asdict(rows.target)}


def _read_off(record: Record) -> tuple[AboutText, list[AblatedPart]]:
    about = build(AboutText, {k: v for k, v in record.items() if k != "off"}, WHERE)
    return about, read_parts(record.get("off"))


ASKS = {
    "trace": _trace,
    "effects": _effects,
    "order": _order,
    "search": _search,
    "patch": _patch,
    "arrays": _arrays,
    "lens": _lens,
    "attribution": _attribution,
    "stream": _stream,
    "off": _off,
    "rewrite": _rewrite,
}
