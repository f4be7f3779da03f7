"""Answers to what a live page asks: a request as JSON values in, the reply as JSON values out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pellucid.config.read import build
from pellucid.errors import UsageError
from pellucid.explain.rows import Rows, read_rows
from pellucid.explorer.content import describe_effects, describe_text
from pellucid.explorer.order import describe_order
from pellucid.explorer.request import TextRequest
from pellucid.explorer.search import describe_search
from pellucid.formats.bundle import Bundle


@dataclass
class LiveModel:
    """A model that a page asks, and the text that it read last."""

    bundle: Bundle
    name: str
    last: tuple[TextRequest, Rows] | None = None

    def read(self, request: TextRequest) -> Rows:
        """Return what the model reads for a text; the last text is not decoded again.

        Raises: UsageError as `read_rows`.
        """
        if self.last is None or self.last[0] != request:
            self.last = request, read_rows(self.bundle, request.text, request.writing)
        return self.last[1]


def respond(model: LiveModel, record: object) -> dict[str, Any]:
    """Return the reply to a request: `{"ask": "trace", "text": {"text": "The cat sleeps."}}`.

    `ask` is one of `ASKS`, `text` the fields of a `TextRequest`.
    Raises: UsageError or ConfigError saying what the model or the request lacks.
    """
    if not isinstance(record, Mapping):
        raise UsageError("the request is not a JSON object.")
    name = str(record.get("ask"))[:40]
    if name not in ASKS:
        raise UsageError(f"the request asks for {name!r}. Known: {', '.join(ASKS)}.")
    kind, answer = ASKS[name]
    request = build(kind, {key: record[key] for key in record if key != "ask"}, "the request")
    return answer(model, request)


@dataclass(frozen=True)
class AboutText:
    """A request about a text, without more."""

    text: TextRequest


def _trace(model: LiveModel, request: AboutText) -> dict[str, Any]:
    """Return the content of a page, see `describe_text`, with the request."""
    text = request.text
    content = describe_text(model.bundle, model.read(text), text.head or None, model.name)
    return {**content, "request": asdict(text)}


def _effects(model: LiveModel, request: AboutText) -> dict[str, Any]:
    """Return what changes without each head."""
    text = request.text
    return {"effects": describe_effects(model.bundle, model.read(text), text.head or None)}


def _order(model: LiveModel, request: AboutText) -> dict[str, Any]:
    """Return what the order of the tokens changes; None if nothing can be said."""
    return {"order": describe_order(model.bundle, model.read(request.text))}


def _search(model: LiveModel, request: AboutText) -> dict[str, Any]:
    """Return what the beam search considered; None if there was none."""
    text = request.text
    return {"search": describe_search(model.bundle, model.read(text), text.writing)}


ASKS = {
    "trace": (AboutText, _trace),
    "effects": (AboutText, _effects),
    "order": (AboutText, _order),
    "search": (AboutText, _search),
}
