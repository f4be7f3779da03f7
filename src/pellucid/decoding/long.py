"""Texts longer than a model was trained on: split at pauses, and joined again."""

import re
from collections.abc import Callable, Sequence

from pellucid.text.languages import has_spaces

Fits = Callable[[str], bool]

# After these a part may end, best first. A mark of Western text counts only before a space ("3.5",
# "1,000"), Chinese and Japanese ones always; closing quotes and brackets stay with their sentence.
# The lookbehind starts a match only at the first mark of a run, which keeps the scan linear.
_CLOSING = "\"'”’»)\\]」』）》】〉"
SENTENCES = re.compile(
    rf"(?<![。！？])[。！？]++[{_CLOSING}]*+|(?<![.!?…])[.!?…]++[{_CLOSING}]*+(?=\s)"
)
CLAUSES = re.compile(rf"[；，、：][{_CLOSING}]*+|[;,:](?=\s)")
SPACES = re.compile(r"\s++")
LEVELS = (SENTENCES, CLAUSES, SPACES)


def split_long(text: str, fits: Fits) -> list[str]:
    """The text itself if it fits, or else parts that do, each as long as its cuts allow.

    Cut at ends of sentences, then of clauses, then at spaces, and inside a word only where that
    alone does not fit. No character is lost but spaces where parts meet and at both ends.
    """
    return [text] if fits(text) else _split(text.strip(), fits, LEVELS)


def rejoin(parts: Sequence[str], language: str) -> str:
    """Translated parts as one text, with spaces unless the language (a code) writes none."""
    return (" " if has_spaces(language) else "").join(
        part.strip() for part in parts if part.strip()
    )


def _split(text: str, fits: Fits, levels: Sequence[re.Pattern[str]]) -> list[str]:
    if not text or fits(text):
        return [text] if text else []
    if not levels:
        return _cut(text, fits)
    parts: list[str] = []
    start = end = 0
    for cut in [*(m.end() for m in levels[0].finditer(text)), len(text)]:
        if start < end and not fits(text[start:cut].strip()):
            parts += _split(text[start:end].strip(), fits, levels[1:])
            start = end
        end = cut
    return parts + _split(text[start:].strip(), fits, levels[1:])


def _cut(word: str, fits: Fits) -> list[str]:
    """A word too long for the model, in pieces as long as fit; one character at least."""
    parts: list[str] = []
    while word:
        low, high = 1, len(word)  # the first `low` characters are taken, more than `high` are not
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(word[:middle]) else (low, middle - 1)
        parts.append(word[:low])
        word = word[low:]
    return parts
