"""Templates: the special tokens around a text, as in [CLS] A [SEP] B [SEP]."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tokenizers.processors import PostProcessor, TemplateProcessing

from pellucid.errors import DataError

END_TOKEN_ONLY = (("A", "eos"), ("A", "B", "eos"))
"""The templates of a translator: one text, or two, then the end token."""


class Wrapped(NamedTuple):
    """Ids with special tokens, and the segment (0 or 1) of each."""

    ids: list[int]
    segments: list[int]


class Slot(NamedTuple):
    """A part of a template: a text, "A" or "B", or the ids of special tokens."""

    text: str
    ids: tuple[int, ...]
    segment: int


@dataclass(frozen=True)
class Template:
    """The special tokens around one text, and around two."""

    single: tuple[Slot, ...] = (Slot("A", (), 0),)
    pair: tuple[Slot, ...] = (Slot("A", (), 0), Slot("B", (), 1))

    def wrap(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> Wrapped:
        """Return the ids of one text or of two with the special tokens."""
        texts = {"A": ids, "B": pair or ()}
        wrapped = Wrapped([], [])
        for slot in self.single if pair is None else self.pair:
            part = texts[slot.text] if slot.text else slot.ids
            wrapped.ids.extend(part)
            wrapped.segments.extend([slot.segment] * len(part))
        return wrapped

    def replace(self, old: int, new: int) -> "Template":
        """Return the template with special token `new` in place of `old`."""

        def replace_in(slot: Slot) -> Slot:
            return slot._replace(ids=tuple(new if i == old else i for i in slot.ids))

        return Template(tuple(map(replace_in, self.single)), tuple(map(replace_in, self.pair)))


def build_template_processor(
    single: Sequence[str], pair: Sequence[str], tokens: Mapping[str, str], vocab: Mapping[str, int]
) -> TemplateProcessing:
    """Build a post-processor of `tokenizers` that puts special tokens around one text or two.

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


def read_template(processor: PostProcessor | None) -> Template:
    """Read the template of a post-processor. Raises: DataError if its kind is unknown."""
    if processor is None:
        return Template()
    return _read_processor(json.loads(processor.__getstate__()))


def _read_processor(description: Mapping[str, Any]) -> Template:
    kind = description["type"]
    if kind == "Sequence":
        parts = [_read_processor(part) for part in description["processors"]]
        return next((part for part in parts if part != Template()), Template())
    if kind == "ByteLevel":  # changes offsets only
        return Template()
    if kind == "TemplateProcessing":
        special = {
            name: tuple(entry["ids"]) for name, entry in description["special_tokens"].items()
        }
        return Template(
            _slots(description["single"], special), _slots(description["pair"], special)
        )
    if kind not in ("BertProcessing", "RobertaProcessing"):
        raise DataError(f"its post-processor is a {kind!r}, which is not supported here.")
    before, end = Slot("", (description["cls"][1],), 0), Slot("", (description["sep"][1],), 0)
    one = (before, Slot("A", (), 0), end)
    if kind == "BertProcessing":
        return Template(one, (*one, Slot("B", (), 1), end._replace(segment=1)))
    return Template(one, (*one, end, Slot("B", (), 0), end))


def _slots(
    parts: Iterable[Mapping[str, Any]], special: Mapping[str, tuple[int, ...]]
) -> tuple[Slot, ...]:
    slots = []
    for entry in parts:
        ((kind, part),) = entry.items()
        if kind == "Sequence":
            slots.append(Slot(part["id"], (), part["type_id"]))
        else:
            slots.append(Slot("", special[part["id"]], part["type_id"]))
    return tuple(slots)
