"""The texts between the tags of HTML, and the same HTML with other texts."""

import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from typing import NamedTuple

from pellucid.errors import UsageError

TAG = re.compile(r"<[a-zA-Z/!?]")
TAG_NAME = re.compile(r"<(script|style)\b", re.IGNORECASE)
ENDS = {
    "script": re.compile("</script", re.IGNORECASE),
    "style": re.compile("</style", re.IGNORECASE),
}
"""Where the content of elements without markup ends."""
QUOTE_OR_END = re.compile(r"=\s*[\"']|>")
"""Where the value of an attribute begins that has quotes, or a tag ends."""
SPACES = re.compile(r"(?:\s|&(?:nbsp|#160|#x[aA]0);)+")
"""Spaces, also escapes of the one that breaks no line."""


class Markup(NamedTuple):
    """HTML in pieces."""

    pieces: list[str]
    """Joined, they are the HTML."""
    positions: list[int]
    """Of the pieces that are texts."""
    texts: list[str]
    """Those pieces, without escapes."""

    def replace(self, texts: Sequence[str]) -> str:
        """Return the HTML with other texts in place of these."""
        pieces = list(self.pieces)
        for position, text in zip(self.positions, texts, strict=True):
            pieces[position] = escape(text, quote=False)
        return "".join(pieces)


def read_markup(html: str) -> Markup:
    """Return HTML in pieces. Scripts, styles, comments and attributes are no texts, and spaces and
    pieces without letters are none.

    Takes linear time, which `html.parser` does not for tags that have no end.
    Raises: UsageError if a tag, comment, script or style has no end.
    """
    markup, end = Markup([], [], []), 0
    for start, tag_end in _find_tags(html):
        _add_text(markup, html[end:start])
        markup.pieces.append(html[start:tag_end])
        end = tag_end
    _add_text(markup, html[end:])
    return markup


def _add_text(markup: Markup, raw: str) -> None:
    start, end = _strip(raw)
    text = unescape(raw[start:end])
    if not any(map(str.isalpha, text)):
        markup.pieces.append(raw)
        return
    markup.pieces.append(raw[:start])
    markup.positions.append(len(markup.pieces))
    markup.texts.append(text)
    markup.pieces.extend((raw[start:end], raw[end:]))


def _strip(raw: str) -> tuple[int, int]:
    """Return where a text begins and ends without the spaces around it."""
    runs = [run.span() for run in SPACES.finditer(raw)]
    start = runs[0][1] if runs and runs[0][0] == 0 else 0
    end = runs[-1][0] if runs and runs[-1][1] == len(raw) else len(raw)
    return start, max(start, end)


def _find_tags(html: str) -> Iterator[tuple[int, int]]:
    """Yield where each tag or comment begins and ends; scripts and styles are one with their tag.

    Raises: UsageError if one has no end.
    """
    end: int | None = 0
    while tag := TAG.search(html, end or 0):
        start = tag.start()
        if html.startswith("<!--", start):
            end = _find_after(html, "-->", start + 4)
        else:
            end = _find_tag_end(html, start)
            name = TAG_NAME.match(html, start)
            if end is not None and name:
                close = ENDS[name[1].lower()].search(html, end)
                is_empty = close is None and html[end - 2] == "/"  # as in SVG: <style/>
                end = end if is_empty else close and close.start()
        if end is None:
            raise UsageError(f"the markup {html[start : start + 20]!r} has no end. Close it.")
        yield start, end


def _find_tag_end(html: str, start: int) -> int | None:
    """Return the position after a tag's `>` that is in no quotes; None if there is none."""
    at: int | None = start
    while at is not None and (mark := QUOTE_OR_END.search(html, at)):
        if mark[0] == ">":
            return mark.end()
        at = _find_after(html, mark[0][-1], mark.end())
    return None


def _find_after(html: str, string: str, start: int) -> int | None:
    """Return the position after a string; None if it does not occur."""
    position = html.find(string, start)
    return None if position < 0 else position + len(string)
