"""Split texts that are longer than a model was trained on, and join the results."""

import re
from collections.abc import Callable, Sequence

from pellucid.text.languages import has_spaces

Fits = Callable[[str], bool]

# A part may end after one of these, the first kind preferred. A Western mark counts only before a
# space (not in "3.5" or "1,000"), a Chinese or Japanese mark always. Closing quotes and brackets
# belong to their sentence. The lookbehind starts a match only at the first mark of a run: linear
# time.
_CLOSING = "\"'”’»)\\]」』）》】〉"
SENTENCES = re.compile(
    rf"(?<![。！？])[。！？]++[{_CLOSING}]*+|(?<![.!?…])[.!?…]++[{_CLOSING}]*+(?=\s)"
)
CLAUSES = re.compile(rf"[；，、：][{_CLOSING}]*+|[;,:](?=\s)")
SPACES = re.compile(r"\s++")
LEVELS = (SENTENCES, CLAUSES, SPACES)


def split_long(text: str, fits: Fits) -> list[str]:
    """Split a text into parts that fit, each as long as possible; [text] if it fits.

    Splits at ends of sentences, else of clauses, else at spaces, and inside a word only if the word
    does not fit. Only spaces between parts and at both ends are removed.
    """
    return [text] if fits(text) else _split(text.strip(), fits, LEVELS)


def rejoin(parts: Sequence[str], language: str) -> str:
    """Join translated parts, with spaces if the language (a code) is written with spaces."""
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
    """Split a word that does not fit into the longest parts that do; at least one character."""
    parts: list[str] = []
    while word:
        low, high = 1, len(word)  # `low` characters are taken, more than `high` do not fit
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(word[:middle]) else (low, middle - 1)
        parts.append(word[:low])
        word = word[low:]
    return parts
