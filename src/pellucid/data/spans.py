"""Answers as spans of the text that contains them."""

from collections.abc import Sequence
from typing import NamedTuple

from pellucid.data.values import Answer, WrongValueError, shorten


class Span(NamedTuple):
    """An answer: the index of its first character in the context, and its text."""

    start: int
    """-1 if the context does not contain the answer."""
    text: str
    is_moved: bool = False
    """Whether another text is at the start that the file states."""

    def __str__(self) -> str:
        return self.text


def locate_spans(answers: Sequence[Answer], context: str) -> tuple[Span, ...]:
    """Return answers with the start of their nearest occurrence in the context.

    One without a start gets that of its first occurrence. An answer that the context does not
    contain is only a reference for evaluation. Raises: WrongValueError if it contains none of them.
    """
    spans = tuple(_locate(start, text, context) for start, text in answers)
    if spans and all(span.start < 0 for span in spans):
        what = f"{shorten(spans[0].text)} is not in the context. An answer is a part of it: correct"
        raise WrongValueError(f"{what} the answer or the context, or remove the question.")
    return spans


def _locate(stated: int | None, text: str, context: str) -> Span:
    start = max(stated or 0, 0)
    before = context.rfind(text, 0, start + len(text))
    after = context.find(text, start)
    starts = [i for i in (before, after) if i >= 0 and text]
    nearest = min(starts, key=lambda i: abs(i - start), default=-1)
    return Span(nearest, text, stated is not None and nearest not in (stated, -1))
