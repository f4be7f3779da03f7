"""SVG documents with a title, lines below it, and a drawing."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

FONT = "font-family='system-ui, Helvetica, Arial, sans-serif'"
INK, PALE_INK, LINE = "#1f2933", "#616e7c", "#cbd2d9"
MARGIN = 24


def draw_document(
    size: tuple[float, float], title: str, lines: Sequence[str], body: Sequence[str]
) -> str:
    """Return an SVG document. size: width and height of the drawing with its header.

    body: elements below `header_height`.
    """
    width = max(size[0], 2 * MARGIN + text_width([title, *lines]))
    header = [draw_text(MARGIN, MARGIN + 8, title, size=16)]
    header += [
        draw_text(MARGIN, MARGIN + 30 + 16 * i, line, color=PALE_INK)
        for i, line in enumerate(lines)
    ]
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:g}' height='{size[1]:g}'"
            f" viewBox='0 0 {width:g} {size[1]:g}' {FONT} font-size='12'>",
            "<rect width='100%' height='100%' fill='#ffffff'/>",
            *header,
            *body,
            "</svg>\n",
        ]
    )


def header_height(lines: Sequence[str]) -> int:
    """Return the height of a title with lines below it."""
    return MARGIN + 30 + 16 * len(lines)


def draw_text(x: float, y: float, text: str, anchor: str = "start", **style: str | float) -> str:
    """Return a text element. style: size, color, and turn (degrees around its position)."""
    turn = f" transform='rotate({style['turn']} {x:g} {y:g})'" if "turn" in style else ""
    return (
        f"<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' fill='{style.get('color', INK)}'"
        f" font-size='{style.get('size', 12)}'{turn}>{escape(text)}</text>"
    )


def text_width(texts: Sequence[str]) -> int:
    """Return the estimated width of the longest text in pixels."""
    from rich.cells import cell_len

    return 7 * max(map(cell_len, texts), default=0)
