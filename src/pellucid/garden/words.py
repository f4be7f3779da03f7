"""Words with the parts of the outline that they express, and the text that they form."""

from dataclasses import dataclass
from typing import NamedTuple

CLOSING = frozenset(",.?，。？")


class Word(NamedTuple):
    """A word and the paths of the outline's parts that it expresses ("1.subject.noun").

    Words of two languages are aligned where they share a path.
    """

    text: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """A sentence in one language.

    words: the units of alignment, punctuation included.  spans: the character span of each
    word in `text`.  parts: for each word the parts of the outline that it expresses.
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    parts: tuple[tuple[str, ...], ...]


def write_side(words: list[Word], spaced: bool) -> Side:
    """Return words as text: capitalised and with spaces (English, German), or bare (Chinese)."""
    text, spans = "", []
    for i, word in enumerate(words):
        piece = word.text
        if spaced and i == 0:
            piece = piece[0].upper() + piece[1:]
        elif spaced and piece not in CLOSING:
            text += " "
        spans.append((len(text), len(text) + len(piece)))
        text += piece
    return Side(
        text=text,
        words=tuple(text[a:b] for a, b in spans),
        spans=tuple(spans),
        parts=tuple(word.parts for word in words),
    )
