"""How a model's special tokens stand around its texts: [CLS] A [SEP] B [SEP] and the like."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tokenizers.processors import PostProcessor, TemplateProcessing

from pellucid.errors import DataError

ENDED = (("A", "eos"), ("A", "B", "eos"))
"""One text and two, with the end token after the last: what our own translators read."""


class Wrapped(NamedTuple):
    """Ids as a model takes them, and which of two texts each belongs to."""

    ids: list[int]
    segments: list[int]


class Slot(NamedTuple):
    """A place in a template: a text, "A" or "B", or ids that are always the same."""

    text: str
    ids: tuple[int, ...]
    segment: int


@dataclass(frozen=True)
class Template:
    """What stands around one text, and around two."""

    single: tuple[Slot, ...] = (Slot("A", (), 0),)
    pair: tuple[Slot, ...] = (Slot("A", (), 0), Slot("B", (), 1))

    def wrap(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> Wrapped:
        """The ids of one text, or of two, among the special tokens."""
        texts = {"A": ids, "B": pair or ()}
        wrapped = Wrapped([], [])
        for slot in self.single if pair is None else self.pair:
            part = texts[slot.text] if slot.text else slot.ids
            wrapped.ids.extend(part)
            wrapped.segments.extend([slot.segment] * len(part))
        return wrapped

    def replace(self, old: int, new: int) -> "Template":
        """The same with another special token in place of one."""

        def slots(given: Iterable[Slot]) -> tuple[Slot, ...]:
            ids = (tuple(new if i == old else i for i in slot.ids) for slot in given)
            return tuple(s._replace(ids=i) for s, i in zip(given, ids, strict=True))

        return Template(slots(self.single), slots(self.pair))


def template_processor(
    single: Sequence[str], pair: Sequence[str], tokens: Mapping[str, str], vocab: Mapping[str, int]
) -> TemplateProcessing:
    """The library's post-processor that puts special tokens around one text, and around two.

    "A" and "B" are the texts, other words are roles of `tokens`; ":1" marks the second segment.
    """
    names = {"A": "$A", "B": "$B", **tokens}

    def write(slot: str) -> str:
        role, _, segment = slot.partition(":")
        return f"{names[role]}:{segment or 0}"

    used = {tokens[slot.partition(":")[0]] for slot in (*single, *pair) if slot[0] not in "AB"}
    return TemplateProcessing(
        single=[write(slot) for slot in single],
        pair=[write(slot) for slot in pair],
        special_tokens=[(token, vocab[token]) for token in sorted(used)],
    )


def template_of(processor: PostProcessor | None) -> Template:
    """The template of a library's post-processor. Raises: DataError at a kind of none known."""
    if processor is None:
        return Template()
    return _read(json.loads(processor.__getstate__()))


def _read(told: Mapping[str, Any]) -> Template:
    kind = told["type"]
    if kind == "Sequence":
        parts = [_read(part) for part in told["processors"]]
        return next((part for part in parts if part != Template()), Template())
    if kind == "ByteLevel":  # changes offsets only
        return Template()
    if kind == "TemplateProcessing":
        special = {name: tuple(entry["ids"]) for name, entry in told["special_tokens"].items()}
        return Template(_slots(told["single"], special), _slots(told["pair"], special))
    if kind not in ("BertProcessing", "RobertaProcessing"):
        raise DataError(f"its post-processor is a {kind!r}, which is not supported here.")
    before, end = Slot("", (told["cls"][1],), 0), Slot("", (told["sep"][1],), 0)
    one = (before, Slot("A", (), 0), end)
    if kind == "BertProcessing":
        return Template(one, (*one, Slot("B", (), 1), end._replace(segment=1)))
    return Template(one, (*one, end, Slot("B", (), 0), end))


def _slots(
    told: Iterable[Mapping[str, Any]], special: Mapping[str, tuple[int, ...]]
) -> tuple[Slot, ...]:
    slots = []
    for entry in told:
        ((kind, part),) = entry.items()
        if kind == "Sequence":
            slots.append(Slot(part["id"], (), part["type_id"]))
        else:
            slots.append(Slot("", special[part["id"]], part["type_id"]))
    return tuple(slots)
