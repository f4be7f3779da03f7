"""Parts of a model that a reader switches off (ablates), as switches of `explain.ablation`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from pellucid.config.read import build
from pellucid.errors import UsageError
from pellucid.explain.ablation import Switch, list_heads
from pellucid.explain.names import Side, attention_sides
from pellucid.explain.rows import Rows
from pellucid.explain.switches import (
    layer_switches,
    list_sublayers,
    position_switches,
    token_switches,
)

ALL_HEADS = -1
MAX_PARTS = 200


@dataclass(frozen=True)
class AblatedPart:
    """A part of a model that is off."""

    kind: Literal["head", "sublayer", "layer", "token", "edge", "positions"]
    path: str = ""
    """Of an attention, a sublayer or a layer."""
    head: int = ALL_HEADS
    side: Side = "source"
    """The text of a token."""
    query: int = 0
    key: int = 0
    """Positions of tokens, from 0."""

    @property
    def is_bound(self) -> bool:
        """Whether it belongs to the text that is written already."""
        return self.kind == "edge" or (self.kind == "token" and self.side == "target")


def read_parts(records: object) -> list[AblatedPart]:
    """Return the parts of a request. Raises: UsageError, ConfigError."""
    if not isinstance(records, Sequence) or isinstance(records, str) or len(records) > MAX_PARTS:
        raise UsageError(f"`off` must be a list of at most {MAX_PARTS} parts of the model.")
    return [_read_part(record, f"the request: off[{i}]") for i, record in enumerate(records)]


def _read_part(record: object, where: str) -> AblatedPart:
    if not isinstance(record, Mapping):
        raise UsageError(f"{where} is not a JSON object.")
    return build(AblatedPart, record, where)


def find_switches(model: nn.Module, parts: Sequence[AblatedPart], rows: Rows) -> list[Switch]:
    """Return the switches of parts. Raises: UsageError naming what the model or text lacks."""
    return [switch for part in parts for switch in _FIND[part.kind](model, part, rows)]


def list_parts(model: nn.Module) -> list[tuple[str, int | None, list[Switch]]]:
    """Return path, head and switches of each head, each sublayer, and of positions if they exist.

    The path of positions is "positions".
    """
    heads = [(switch.path, switch.head, [switch]) for switch in list_heads(model)]
    sublayers = [(switch.path, None, [switch]) for switch in list_sublayers(model)]
    positions = position_switches(model)
    return [*heads, *sublayers, *([("positions", None, positions)] if positions else [])]


def _head(model: nn.Module, part: AblatedPart, rows: Rows) -> list[Switch]:
    known = list_heads(model)
    switch = Switch(part.path, part.head)
    if switch not in known:
        paths = dict.fromkeys(each.path for each in known)
        raise UsageError(
            f"there is no head {part.head} of {part.path[:60]!r}. Heads count from 0; attentions of"
            f" this model: {', '.join(paths) or 'none with heads'}."
        )
    return [switch]


def _sublayer(model: nn.Module, part: AblatedPart, rows: Rows) -> list[Switch]:
    switch, known = Switch(part.path), list_sublayers(model)
    if switch not in known:
        paths = ", ".join(each.path for each in known)
        raise UsageError(f"there is no sublayer {part.path[:60]!r}. Known: {paths or 'none'}.")
    return [switch]


def _layer(model: nn.Module, part: AblatedPart, rows: Rows) -> list[Switch]:
    return layer_switches(model, part.path)


def _token(model: nn.Module, part: AblatedPart, rows: Rows) -> list[Switch]:
    _check_token(rows, part.side, part.key)
    return token_switches(model, part.side, part.key)


def _edge(model: nn.Module, part: AblatedPart, rows: Rows) -> list[Switch]:
    queries, keys = attention_sides(part.path)
    _check_token(rows, queries, part.query)
    _check_token(rows, keys, part.key)
    if part.head != ALL_HEADS:
        _head(model, part, rows)
    head = None if part.head == ALL_HEADS else part.head
    return [Switch(part.path, head, part.query, part.key)]


def _positions(model: nn.Module, part: AblatedPart, rows: Rows) -> list[Switch]:
    switches = position_switches(model)
    if not switches:
        raise UsageError("this model has no position vectors or biases: it reads in order.")
    return switches


_FIND = {
    "head": _head,
    "sublayer": _sublayer,
    "layer": _layer,
    "token": _token,
    "edge": _edge,
    "positions": _positions,
}


def _check_token(rows: Rows, side: Side, position: int) -> None:
    """Raises: UsageError if a text has no token at a position."""
    text = rows.source if side == "source" else rows.target
    n_tokens = 0 if text is None else len(text.tokens)
    if not 0 <= position < n_tokens:
        raise UsageError(f"the {side} has {n_tokens} tokens, counted from 0: none is {position}.")
