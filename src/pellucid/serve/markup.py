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
QUOTE_OR_END = re.compile("[\"'>]")


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
    """Return HTML in pieces. Scripts, styles, comments, attributes and spaces are no texts.

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
    text = raw.strip()
    before, _, after = raw.partition(text) if text else (raw, "", "")
    markup.pieces.append(before)
    if text:
        markup.positions.append(len(markup.pieces))
        markup.texts.append(unescape(text))
        markup.pieces.extend((text, after))


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
                end = close and close.start()
        if end is None:
            raise UsageError(f"the markup {html[start : start + 20]!r} has no end. Close it.")
        yield start, end


def _find_tag_end(html: str, start: int) -> int | None:
    """Return the position after a tag's `>` that is in no quotes; None if there is none."""
    at: int | None = start
    while at is not None and (mark := QUOTE_OR_END.search(html, at)):
        if mark[0] == ">":
            return mark.end()
        at = _find_after(html, mark[0], mark.end())
    return None


def _find_after(html: str, string: str, start: int) -> int | None:
    """Return the position after a string; None if it does not occur."""
    position = html.find(string, start)
    return None if position < 0 else position + len(string)
