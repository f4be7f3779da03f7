"""SentencePiece's normaliser.

Source: sentencepiece's normalizer.cc, with remove_extra_whitespaces and escape_whitespaces on.
"""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from pellucid.text.published.charsmap import CharsMap, read_charsmap

SPACE = "▁"
"""How SentencePiece writes a space."""
SPACES = re.compile("  +")
LONGEST_CACHED = 32
"""Maximum number of characters of a run whose replacement is cached."""


class Chunk(NamedTuple):
    """Characters `start` to `end` of a text, replaced as one."""

    replacement: str
    start: int
    end: int


class Normalizer:
    """Replaces characters by the model's map, and each run of spaces by one `▁`."""

    def __init__(self, charsmap: bytes, symbols: Collection[str], dummy_prefix: bool) -> None:
        """symbols: user-defined pieces, which are not normalized.

        Raises: ValueError if the map is damaged, or writes two spaces in a row.
        """
        self._map = read_charsmap(charsmap) if charsmap else CharsMap({0: {}}, 0)
        self._symbols = frozenset(symbols)
        self._widths = sorted({len(symbol) for symbol in symbols}, reverse=True)
        self._prefix = SPACE if dummy_prefix else ""
        first, later = self._map.first_chars(), self._map.later_chars()
        later |= {char for symbol in symbols for char in symbol[1:]}
        # A run is any character followed by `later` ones, or one of `first`. No entry of the map
        # crosses the end of a run, so each run can be replaced independently.
        alone, more = _ranges(first), _ranges(later)
        self._runs = re.compile(f"[^{more}]?[{more}]+|[{alone}]")
        self._keeps_ascii = not any(char.isascii() and char.isprintable() for char in first | later)
        self._replace_cached = lru_cache(20_000)(self._replace)

    def normalize(self, text: str) -> str:
        """Return the normalized text."""
        if not (self._keeps_ascii and text.isascii() and text.isprintable()):
            text = self._runs.sub(self._replace_run, text)
        text = text.strip(" ")
        if not text:
            return ""
        text = SPACES.sub(" ", text)
        return (self._prefix + text.replace(" ", SPACE)).rstrip(SPACE)

    def align(self, text: str) -> tuple[str, list[tuple[int, int]]]:
        """Return the normalized text and the span of `text` that each of its characters comes from.

        The span of the dummy prefix is empty.
        """
        chars, spans = [], []
        for chunk in self._chunks(text):
            for char in chunk.replacement:
                if char != " " or (chars and chars[-1] != " "):
                    chars.append(char)
                    spans.append((chunk.start, chunk.end))
        if spans and self._prefix:
            spans.insert(0, (spans[0][0], spans[0][0]))
        normalized = self.normalize(text)
        return normalized, spans[: len(normalized)]

    def _chunks(self, text: str) -> Iterator[Chunk]:
        at = 0
        while at < len(text):
            chunk = self._chunk(text, at)
            yield chunk
            at = chunk.end

    def _chunk(self, text: str, at: int) -> Chunk:
        for width in self._widths:
            if (symbol := text[at : at + width]) in self._symbols:
                return Chunk(symbol, at, at + len(symbol))
        match = self._map.match(text, at)
        return Chunk(match[0], at, match[1]) if match else Chunk(text[at], at, at + 1)

    def _replace_run(self, run: re.Match[str]) -> str:
        short = len(run[0]) <= LONGEST_CACHED
        return self._replace_cached(run[0]) if short else self._replace(run[0])

    def _replace(self, run: str) -> str:
        return "".join(chunk.replacement for chunk in self._chunks(run))


def _ranges(chars: Collection[str]) -> str:
    """Return these characters as ranges for a regular expression's [...]."""
    if not chars:
        return "\\ud800"  # half of a character, which no text has
    ranges: list[list[int]] = []
    for code in sorted(map(ord, chars)):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
