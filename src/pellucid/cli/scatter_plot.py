"""Scatter plots of gold and predicted numbers, as SVG."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pellucid.cli.svg import LINE, MARGIN, PALE_INK, draw_document, draw_text, header_height
from pellucid.metrics.details import Points

MAX_POINTS = 2000
"""Points of a plot; of more, some are drawn at random."""
PLOT = 420
"""Width and height of a plot."""
GRID = "#eef1f4"
COLOR = "#084594"


def draw_points(points: Points, title: str, metrics: Sequence[str]) -> str:
    """Return a scatter plot of gold and predicted numbers as an SVG document."""
    gold, predicted = (side.astype(np.float64) for side in points)
    if len(gold) > MAX_POINTS:
        chosen = np.random.default_rng(0).choice(len(gold), MAX_POINTS, replace=False)
        metrics = [*metrics, f"{MAX_POINTS:,} of {len(gold):,} pairs, drawn at random"]
        gold, predicted = gold[chosen], predicted[chosen]
    left, top = MARGIN + 48, header_height(metrics) + 12
    across, up = _scale(gold, left, left + PLOT), _scale(predicted, top + PLOT, top)
    body = [
        f"<rect x='{left}' y='{top}' width='{PLOT}' height='{PLOT}' fill='none' stroke='{LINE}'/>"
    ]
    for value in across.ticks:
        x = across.place(value)
        body.append(f"<line x1='{x:g}' y1='{top}' x2='{x:g}' y2='{top + PLOT}' stroke='{GRID}'/>")
        body.append(draw_text(x, top + PLOT + 18, f"{value:g}", "middle", color=PALE_INK))
    for value in up.ticks:
        y = up.place(value)
        body.append(f"<line x1='{left}' y1='{y:g}' x2='{left + PLOT}' y2='{y:g}' stroke='{GRID}'/>")
        body.append(draw_text(left - 8, y + 4, f"{value:g}", "end", color=PALE_INK))
    body += [
        f"<circle cx='{across.place(x):.1f}' cy='{up.place(y):.1f}' r='3' fill='{COLOR}'"
        " fill-opacity='0.35'/>"
        for x, y in zip(gold, predicted, strict=True)
    ]
    bottom, center = top + PLOT, top + PLOT / 2
    body.append(draw_text(left + PLOT / 2, bottom + 40, "gold", "middle"))
    body.append(draw_text(MARGIN, center, "predicted", "middle", turn=-90))
    return draw_document((left + PLOT + MARGIN, bottom + 56), title, metrics, body)


class Scale(NamedTuple):
    """An axis of a plot."""

    ticks: Sequence[float]
    place: Callable[[float], float]
    """From a value to its coordinate."""


def _scale(values: np.ndarray, begin: float, end: float) -> Scale:
    """Return an axis whose ends are round numbers around the values."""
    low, high = float(values.min()), float(values.max())
    span = high - low or 1.0
    power = 10.0 ** np.floor(np.log10(span / 5))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= 6)
    first, last = np.floor(low / step), np.ceil(high / step)
    last = last if last > first else first + 1
    ticks = [float(round(i * step, 10)) for i in np.arange(first, last + 1)]
    factor = (end - begin) / (ticks[-1] - ticks[0])
    return Scale(ticks, lambda value: begin + (value - ticks[0]) * factor)
