"""A question and its context as pieces, in windows that a model reads at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pellucid.text.template import Template, Wrapped
from pellucid.text.tokenizer import Tokenizer


class Pieces(NamedTuple):
    """The pieces of a text."""

    ids: list[int]
    spans: list[tuple[int, int]]
    """The characters of each, from and to, without the spaces around them."""


@dataclass(frozen=True)
class WindowLimits:
    """Most pieces of what is read at once."""

    window: int
    """Question and part of the context, with special tokens."""
    stride: int
    """From the start of a window of the context to the start of the next; windows overlap by half
    or more."""
    question: int


class Passage(NamedTuple):
    """A question and its context."""

    question: list[int]
    """Ids, cut to the limit."""
    context: Pieces
    windows: list[range]
    """The pieces of the context in each window."""

    def wrap(self, template: Template, window: range) -> Wrapped:
        """Return the question and a window of the context with special tokens."""
        return template.wrap(self.question, self.context.ids[window.start : window.stop])


def encode_context(tokenizer: Tokenizer, context: str) -> Pieces:
    """Return the pieces of a text with their characters."""
    encoding = tokenizer.encode(context)
    return Pieces(encoding.ids, [strip_span(context, *span) for span in encoding.offsets])


def split_passage(
    tokenizer: Tokenizer, question: Sequence[int], context: Pieces, limits: WindowLimits
) -> Passage:
    """Return a question and its context in windows.

    question: its ids. It is cut to `limits.question`, and to half of the window.
    There is one window at least; the last one ends with the context. Source: the released code of
    Devlin et al. 2019, where small windows do not overlap.
    """
    n_special = len(tokenizer.template.wrap([], []).ids)
    kept = list(question[: min(limits.question, (limits.window - n_special) // 2)])
    room = limits.window - n_special - len(kept)
    step = min(limits.stride, max(1, room // 2))
    windows, start, n_pieces = [], 0, len(context.ids)
    while start + room < n_pieces:
        windows.append(range(start, start + room))
        start += step
    return Passage(kept, context, [*windows, range(start, n_pieces)])


def find_pieces(spans: Sequence[tuple[int, int]], begin: int, end: int) -> range:
    """Return the pieces that have any of these characters; an empty range if none has."""
    touched = [i for i, (first, last) in enumerate(spans) if first < end and last > begin]
    return range(touched[0], touched[-1] + 1) if touched else range(0)


def context_offset(template: Template, n_question: int) -> int:
    """Return the index of the first piece of the context in a wrapped pair of texts."""
    index = 0
    for slot in template.pair:
        if slot.text == "B":
            break
        index += n_question if slot.text == "A" else len(slot.ids)
    return index


def strip_span(text: str, begin: int, end: int) -> tuple[int, int]:
    """Return a span without the spaces at its ends; of spaces alone, an empty one."""
    while begin < end and text[begin].isspace():
        begin += 1
    while begin < end and text[end - 1].isspace():
        end -= 1
    return begin, end
