"""The picture of `pellucid evaluate --picture`, as SVG: a heat map or a scatter plot."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from pellucid.cli.scatter_plot import draw_points
from pellucid.cli.svg import (
    INK,
    LINE,
    MARGIN,
    PALE_INK,
    draw_document,
    draw_text,
    header_height,
    text_width,
)
from pellucid.metrics.classes import ClassScore
from pellucid.metrics.details import Confusion, Details

MAX_LABELS = 40
"""Labels of a heat map; rare ones are counted together."""
MAX_LABEL = 18
"""Characters of a label; longer ones are shortened."""
DARK = (8, 69, 148)
"""The color of a share of 1; 0 is white."""


class Cell(NamedTuple):
    """One cell of a heat map."""

    share: float
    """From 0 to 1, which sets the color."""
    lines: tuple[str, ...]
    note: str


def draw(details: Details, title: str, metrics: Sequence[str]) -> str:
    """Return the picture of an evaluation as an SVG document.

    A confusion matrix, or without one the scores of each class, or else gold and predicted numbers.
    metrics: lines of text below the title.
    """
    if details.confusion:
        return _draw_confusion(details.confusion.limit_labels(MAX_LABELS), title, metrics)
    if details.classes:
        return _draw_classes(list(details.classes.items())[:MAX_LABELS], title, metrics)
    assert details.points is not None
    return draw_points(details.points, title, metrics)


def _draw_confusion(confusion: Confusion, title: str, metrics: Sequence[str]) -> str:
    labels, counts = confusion
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    cells = [
        [
            Cell(
                float(share),
                (f"{n:,}", _percent(share)) if n else (),
                f"gold {gold}, predicted {predicted}: {n:,} of {total:,} ({share:.1%})",
            )
            for predicted, n, share in zip(labels, row, row_shares, strict=True)
        ]
        for gold, row, row_shares, (total,) in zip(labels, counts, shares, totals, strict=True)
    ]
    rows = [f"{_shorten(label)} ({n:,})" for label, (n,) in zip(labels, totals, strict=True)]
    size = 64 if len(labels) <= 10 else 44 if len(labels) <= 20 else 22
    axes = ("gold (number)", "predicted; color and percent: share of the gold label")
    return _draw_cells(cells, rows, labels, axes, Frame(title, metrics, size))


def _draw_classes(
    classes: Sequence[tuple[str, ClassScore]], title: str, metrics: Sequence[str]
) -> str:
    names = ("precision", "recall", "f1")
    cells = [
        [
            Cell(value, (f"{value:.2f}",), f"{label}: {name} {value:.4f}")
            for name, value in zip(names, score, strict=False)
        ]
        for label, score in classes
    ]
    rows = [f"{_shorten(label)} ({score.support:,})" for label, score in classes]
    size = 64 if len(classes) <= 10 else 32
    return _draw_cells(cells, rows, names, ("label (number)", ""), Frame(title, metrics, size))


class Frame(NamedTuple):
    """Title, lines below it, and the size of a cell."""

    title: str
    metrics: Sequence[str]
    size: int


def _draw_cells(
    cells: Sequence[Sequence[Cell]],
    rows: Sequence[str],
    columns: Sequence[str],
    axes: tuple[str, str],
    frame: Frame,
) -> str:
    """Draw a heat map. axes: names of the rows and of the columns."""
    size, names = frame.size, [_shorten(column) for column in columns]
    is_wide = text_width(names) > size
    header = 12 + (text_width(names) * 0.72 if is_wide else 6)  # names are turned by 45 degrees
    left, top = (
        MARGIN + 12 + text_width([*rows, axes[0]]),
        header_height(frame.metrics) + 18 + header,
    )
    body = [draw_text(left, top - header - 8, axes[1], color=PALE_INK)]
    body.append(draw_text(MARGIN, top - 8, axes[0], color=PALE_INK))
    for j, name in enumerate(names):
        x = left + size * (j + 0.5)
        turned = {"turn": -45} if is_wide else {}
        body.append(draw_text(x, top - 8, name, "start" if is_wide else "middle", **turned))
    for i, row in enumerate(rows):
        y = top + size * i
        body.append(draw_text(left - 8, y + size / 2 + 4, row, "end"))
        body += [_draw_cell(cell, left + size * j, y, size) for j, cell in enumerate(cells[i])]
    right = left + size * len(columns) + (text_width(names) * 0.72 if is_wide else 0)
    right = max(right, left + text_width([axes[1]]))
    full_size = (right + MARGIN, top + size * len(rows) + MARGIN)
    return draw_document(full_size, frame.title, frame.metrics, body)


def _draw_cell(cell: Cell, x: float, y: float, size: int) -> str:
    red, green, blue = (round(255 + (c - 255) * cell.share) for c in DARK)
    lines = [
        f"<g><title>{escape(cell.note)}</title>"
        f"<rect x='{x:g}' y='{y:g}' width='{size}' height='{size}'"
        f" fill='rgb({red},{green},{blue})' stroke='{LINE}'/>"
    ]
    shown = cell.lines if size >= 44 else cell.lines[:1] if size >= 32 else ()
    color = "#ffffff" if cell.share > 0.5 else INK
    for k, line in enumerate(shown):
        middle = y + size / 2 + 4 + 14 * (k - (len(shown) - 1) / 2)
        points = 13 if k == 0 and size >= 64 else 11
        lines.append(draw_text(x + size / 2, middle, line, "middle", color=color, size=points))
    return "".join([*lines, "</g>"])


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _shorten(label: str) -> str:
    """Return a label without its middle if it is long: similar labels often differ at the end."""
    half = MAX_LABEL // 2
    return label if len(label) <= MAX_LABEL else f"{label[: half - 1]}…{label[-half:]}"
