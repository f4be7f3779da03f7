"""The value of a column, from what a field holds."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pellucid.config.columns import ColumnKind
from pellucid.text.guard import LONGEST

NO_CHARACTER = re.compile("[\0\ud800-\udfff]")  # what JSON can spell, but no text may have


class Span(NamedTuple):
    """An answer: its text, and the index of its first character in the context."""

    start: int
    text: str


class WrongValueError(Exception):
    """What is wrong with a field, and at which of its characters."""

    def __init__(self, what: str, character: int = 0) -> None:
        super().__init__(what)
        self.character = character


def is_blank(field: Any) -> bool:
    """Return whether a field holds nothing, or spaces only."""
    return field is None or (isinstance(field, str) and not field.strip()) or field in ([], ())


def is_number(field: Any) -> bool:
    """Return whether a field can be a score."""
    try:
        _score(field)
    except WrongValueError:
        return False
    return True


def _text(field: Any) -> str:
    text = _document(field)
    if len(text) > LONGEST:
        what = f"{len(text):,} characters; a text may have at most {LONGEST:,}. Split it."
        raise WrongValueError(what, LONGEST)
    return text


def _document(field: Any) -> str:
    if not isinstance(field, str):
        raise WrongValueError(f"{_shown(field)} is not a text (a string).")
    odd = NO_CHARACTER.search(field)
    if odd:
        what = f"\\u{ord(odd[0]):04x} is not a character of a text. Remove it."
        raise WrongValueError(what, odd.start())
    return field


def _words(field: Any) -> tuple[str, ...]:
    if isinstance(field, str):
        return tuple(_text(field).split())
    return tuple(_word(i, item) for i, item in enumerate(_items(field, "words")))


def _word(index: int, item: Any) -> str:
    """An item of a list; a fault is located by the item's index."""
    try:
        word = _text(item).strip()
    except WrongValueError as error:
        raise WrongValueError(f"word {index + 1}: {error}", index) from None
    if not word:
        raise WrongValueError(f"word {index + 1} is empty.", index)
    return word


def _tags(field: Any) -> tuple[str, ...]:
    return _words(field) if isinstance(field, str) else tuple(map(_label, _items(field, "tags")))


def _label(field: Any) -> str:
    if isinstance(field, bool):
        return str(field).lower()
    label = str(field) if isinstance(field, int) else _text(field).strip()
    if not label:
        raise WrongValueError("the label is empty.")
    return label


def _labels(field: Any) -> tuple[str, ...]:
    parts = field.split(",") if isinstance(field, str) else _items(field, "labels")
    return tuple(dict.fromkeys(map(_label, parts)))


def _score(field: Any) -> float:
    number = field
    if isinstance(field, str) and "_" not in field:
        try:
            number = float(field)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise WrongValueError(f"{_shown(field)} is not a number.")
    if abs(number) > 1e308 or not math.isfinite(number):
        raise WrongValueError(f"{_shown(field)} is not a finite number.")
    return float(number)


def _spans(field: Any) -> tuple[Span, ...]:
    """SQuAD's list of answers, or the two lists that data sets on the Hugging Face hub have."""
    if isinstance(field, Mapping):
        texts, starts = field.get("text"), field.get("answer_start")
        answers = list(zip(_items(texts, "texts"), _items(starts, "starts"), strict=False))
    else:
        answers = [
            (a.get("text"), a.get("answer_start")) if isinstance(a, Mapping) else (None, None)
            for a in _items(field, "answers")
        ]
    return tuple(_span(text, start) for text, start in answers)


def _span(text: Any, start: Any) -> Span:
    if not isinstance(text, str) or isinstance(start, bool) or not isinstance(start, int):
        raise WrongValueError("an answer needs `text` and `answer_start`.")
    return Span(start, text)


def place_spans(spans: Sequence[Span], context: str) -> tuple[Span, ...]:
    """Return the spans with starts at which the context has their text.

    An answer that is not where its start points is searched for, and the nearest place is taken;
    one that the context does not have starts at -1: a reference to compare with, no span.
    """
    return tuple(_placed(span, context) for span in spans)


def _placed(span: Span, context: str) -> Span:
    start = max(span.start, 0)
    before = context.rfind(span.text, 0, start + len(span.text))
    after = context.find(span.text, start)
    starts = [at for at in (before, after) if at >= 0 and span.text]
    return Span(min(starts, key=lambda at: abs(at - span.start), default=-1), span.text)


def _items(field: Any, name: str) -> Sequence[Any]:
    if not isinstance(field, (list, tuple)):
        raise WrongValueError(f"{_shown(field)} is not a list of {name}.")
    return field


def _shown(field: Any) -> str:
    if field is None:
        return "null"
    shown = repr(field) if isinstance(field, (str, int, float)) else type(field).__name__
    return shown if len(shown) <= 40 else shown[:37] + "..."


VALUE_OF: dict[ColumnKind, Callable[[Any], Any]] = {
    "text": _text,
    "document": _document,
    "words": _words,
    "tags": _tags,
    "label": _label,
    "labels": _labels,
    "score": _score,
    "span": _spans,
}
"""From what a field holds to the value of a column, by its kind. Raises: WrongValueError."""
