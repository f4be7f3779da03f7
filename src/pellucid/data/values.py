"""Conversion of a field of a file to the value of a column."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pellucid.config.columns import LABEL_KINDS, ColumnKind
from pellucid.config.data import DataConfig
from pellucid.text.guard import MAX_CHARACTERS
from pellucid.text.languages import is_known_language
from pellucid.text.words import split_words

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
INVALID_CHARACTER = re.compile("[\0\ud800-\udfff]")  # NUL and surrogates, which JSON can escape

MAX_SCORE = 3e38  # models compute in float32


class WrongValueError(Exception):
    """A field that cannot be converted. `character` is the index of the wrong character."""

    def __init__(self, what: str, character: int = 0) -> None:
        super().__init__(what)
        self.character = character


def is_blank(field: Any) -> bool:
    """Return whether a field is empty or only whitespace."""
    return field is None or (isinstance(field, str) and not field.strip()) or field in ([], ())


def is_number(field: Any) -> bool:
    """Return whether a field is a finite number."""
    try:
        _parse_score(field)
    except WrongValueError:
        return False
    return True


def is_language(field: Any) -> bool:
    """Return whether a field is the code of a known language."""
    try:
        return is_known_language(_parse_language(field))
    except WrongValueError:
        return False


def parser(kind: ColumnKind, config: DataConfig) -> Callable[[Any], Any]:
    """Return the function from a field to the value of a column. It raises WrongValueError."""
    parse, labels = PARSERS[kind], config.labels
    if kind == "language":
        return lambda field: _check_language(parse(field), config.all_languages)
    if not labels or kind not in LABEL_KINDS:
        return parse
    if kind == "label":
        return lambda field: _name_label(parse(field), labels)
    return lambda field: tuple(_name_label(label, labels) for label in parse(field))


def _name_label(label: str, names: Sequence[str]) -> str:
    if label in names:
        return label
    if label.isascii() and label.isdigit() and len(label) < 9 and int(label) < len(names):
        return names[int(label)]
    raise WrongValueError(
        f"{shorten(label)} is none of the {len(names)} labels ({', '.join(names)[:100]}), nor the"
        " number of one, counted from 0."
    )


def _parse_language(field: Any) -> str:
    """Return a language code, spelled as in the settings: zh_TW for zh-TW."""
    code = _parse_text(field).strip().replace("-", "_")
    if not LANGUAGE.fullmatch(code):
        raise WrongValueError(
            f"{shorten(field)} is no language code. Write one such as en or zh_TW."
        )
    return code


def _check_language(code: str, used: Sequence[str]) -> str:
    if code in used or is_known_language(code):
        return code
    raise WrongValueError(
        f"{shorten(code)} is an unknown language, and not among those of this run"
        f" ({', '.join(used)[:100]}). Correct it, or remove the line."
    )


def _parse_text(field: Any) -> str:
    text = _parse_document(field)
    if len(text) > MAX_CHARACTERS:
        what = f"{len(text):,} characters, but a text has at most {MAX_CHARACTERS:,}. Split it."
        raise WrongValueError(what, MAX_CHARACTERS)
    return text


def _parse_document(field: Any) -> str:
    if not isinstance(field, str):
        raise WrongValueError(f"{shorten(field)} is not a text (a string).")
    odd = INVALID_CHARACTER.search(field)
    if odd:
        what = f"\\u{ord(odd[0]):04x} is not allowed in a text. Remove it."
        raise WrongValueError(what, odd.start())
    return field


def _parse_words(field: Any) -> tuple[str, ...]:
    if isinstance(field, str):
        return tuple(split_words(_parse_text(field)))
    return tuple(_parse_word(i, item) for i, item in enumerate(_items(field, "words")))


def _parse_word(index: int, item: Any) -> str:
    """Convert an item of a list. In errors, `character` is the index of the item."""
    try:
        word = _parse_text(item).strip()
    except WrongValueError as error:
        raise WrongValueError(f"word {index + 1}: {error}", index) from None
    if not word:
        raise WrongValueError(f"word {index + 1} is empty.", index)
    return word


def _parse_tags(field: Any) -> tuple[str, ...]:
    return (
        _parse_words(field)
        if isinstance(field, str)
        else tuple(_parse_tag(i, item) for i, item in enumerate(_items(field, "tags")))
    )


def _parse_tag(index: int, item: Any) -> str:
    """Convert an item of a list. In errors, `character` is the index of the item."""
    try:
        tag = _parse_label(item)
    except WrongValueError as error:
        raise WrongValueError(f"tag {index + 1}: {error}", index) from None
    if len(tag.split()) > 1:  # `tag` writes the tags of a line with spaces between them
        raise WrongValueError(f"tag {index + 1}: {shorten(tag)} has a space in it.", index)
    return tag


def _parse_label(field: Any) -> str:
    if isinstance(field, bool):
        return str(field).lower()
    if isinstance(field, (list, tuple)):
        raise WrongValueError("a list, but a text has one label. For several, set multi_label.")
    label = str(field) if isinstance(field, int) else _parse_text(field).strip()
    if not label:
        raise WrongValueError("the label is empty.")
    return label


def _parse_labels(field: Any) -> tuple[str, ...]:
    parts = field.split(",") if isinstance(field, str) else _items(field, "labels")
    return tuple(dict.fromkeys(map(_parse_label, parts)))


def _parse_score(field: Any) -> float:
    number = field
    if isinstance(field, str) and "_" not in field:
        try:
            number = float(field)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise WrongValueError(f"{shorten(field)} is not a number.")
    if not abs(number) <= MAX_SCORE:  # NaN compares as False
        what = f"{shorten(field)} is not a finite number of at most {MAX_SCORE:.1g} (float32)."
        raise WrongValueError(what)
    return float(number)


Answer = tuple[int | None, str]
"""The start of an answer in the context as a file states it, and its text."""


def _parse_answers(field: Any) -> tuple[Answer, ...]:
    """Convert an answer, a list of them (SQuAD), or a dict of two lists (its Hugging Face version).

    A string is an answer without a start.
    """
    if isinstance(field, str):
        return ((None, _parse_text(field).strip()),)
    if isinstance(field, Mapping):
        texts = _items(field.get("text"), "texts")
        starts = _items(field.get("answer_start"), "starts")
        if len(texts) != len(starts):
            raise WrongValueError(f"{len(texts)} texts and {len(starts)} starts of answers.")
        answers = list(zip(texts, starts, strict=True))
    else:
        answers = [
            (a.get("text"), a.get("answer_start")) if isinstance(a, Mapping) else (None, None)
            for a in _items(field, "answers")
        ]
    return tuple(_parse_answer(text, start) for text, start in answers)


def _parse_answer(text: Any, start: Any) -> Answer:
    if not isinstance(text, str) or isinstance(start, bool) or not isinstance(start, int):
        raise WrongValueError("an answer needs `text` and `answer_start`.")
    return start, text


def _items(field: Any, name: str) -> Sequence[Any]:
    if not isinstance(field, (list, tuple)):
        raise WrongValueError(f"{shorten(field)} is not a list of {name}.")
    return field


def shorten(field: Any) -> str:
    """Return a field as an error shows it, at most 40 characters."""
    if field is None:
        return "null"
    shown = repr(field) if isinstance(field, (str, int, float)) else type(field).__name__
    return shown if len(shown) <= 40 else shown[:37] + "..."


PARSERS: dict[ColumnKind, Callable[[Any], Any]] = {
    "text": _parse_text,
    "document": _parse_document,
    "words": _parse_words,
    "tags": _parse_tags,
    "label": _parse_label,
    "labels": _parse_labels,
    "score": _parse_score,
    "span": _parse_answers,
    "language": _parse_language,
}
"""Kind of column -> function from a field to the value. Raises: WrongValueError."""
