"""Figures of a trace for papers, as SVG. Needs `pip install pellucid[plot]`."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.errors import ResourceError, UsageError
from pellucid.explain.lens import logit_lens
from pellucid.explain.rows import TracedText
from pellucid.explain.trace import Trace
from pellucid.formats.bundle import Bundle

WEIGHTS, SIGNED = "Blues", "RdBu_r"
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Serif CJK SC", "WenQuanYi Zen Hei", "SimHei")


def draw_svg(bundle: Bundle, trace: Trace, figure: str) -> str:
    """Return a figure as an SVG document: heads, alignment, positions or lens.

    Raises: UsageError if the model has nothing to draw; ResourceError without matplotlib.
    """
    with _settings() as pyplot:
        drawn = FIGURES[figure](pyplot, bundle, trace)
        file = io.StringIO()
        drawn.savefig(file, format="svg", metadata={"Date": None})
        pyplot.close(drawn)
    return file.getvalue()


def _draw_heads(pyplot: Any, bundle: Bundle, trace: Trace) -> Any:
    """Draw the weights of all heads: a row for each attention, a column for each head."""
    if not trace.attentions:
        raise UsageError("this model has no attention, so there are no heads to draw.")
    grid = [trace[f"{path}.weights"] for path in trace.attentions]
    n_columns = max(map(len, grid))
    size = (1.1 * n_columns + 2.2, 1.1 * len(grid) + 0.4)
    drawn, axes = pyplot.subplots(
        len(grid), n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    for path, heads, row in zip(trace.attentions, grid, axes, strict=True):
        for head, ax in enumerate(row):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_color("0.8")
            if head < len(heads):
                ax.imshow(heads[head], cmap=WEIGHTS, vmin=0, vmax=1, aspect="auto")
            else:
                ax.set_axis_off()
        row[0].set_ylabel(path.replace(".layers", ""), rotation=0, ha="right", va="center")
    for head, ax in enumerate(axes[0]):
        ax.set_title(f"head {head}", fontsize="small")
    return drawn


def _draw_alignment(pyplot: Any, bundle: Bundle, trace: Trace) -> Any:
    """Draw the attention to the source, averaged over the heads of the layer for alignments."""
    paths = [p for p in trace.attentions if p.endswith("cross") or p == "decoder.attention"]
    if not paths or trace.source is None or trace.target is None:
        raise UsageError("this model has no attention to a source, so nothing is aligned.")
    n = bundle.decoding.alignment_layer
    path = paths[n] if -len(paths) <= n < len(paths) else paths[-1]
    weights = trace[f"{path}.weights"].mean(0)
    rows = _labels(trace.target)
    if trace.prediction is not None:  # a row chooses the token after the one that it has read
        chosen = [position.chosen for position in trace.prediction.positions]
        rows = [_escape("" if each is None else each.text) for each in chosen]
    drawn, ax = _draw_matrix(pyplot, weights, rows, _labels(trace.source))
    ax.set(ylabel="next token", title=f"{path}, mean of {len(trace[f'{path}.weights'])} heads")
    return drawn


def _draw_positions(pyplot: Any, bundle: Bundle, trace: Trace) -> Any:
    """Draw the position vectors, and their products with each other."""
    text = trace.source or trace.target
    side = "encoder" if trace.source is not None else "decoder"
    vectors = trace.arrays.get(f"{side}.embedding.position_vectors")
    if vectors is None or vectors.ndim < 2 or text is None:
        raise UsageError("this model adds no position vectors to its tokens.")
    drawn, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 4.2), width_ratios=(2, 1), layout="constrained"
    )
    limit = float(np.abs(vectors).max())
    image = left.imshow(vectors, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto")
    left.set(xlabel="dimension", ylabel="position", title="position vectors")
    drawn.colorbar(image, ax=left)
    products = vectors @ vectors.T
    limit = float(np.abs(products).max())
    image = right.imshow(products, cmap=SIGNED, vmin=-limit, vmax=limit)
    right.set(xlabel="position", ylabel="position", title="inner products")
    drawn.colorbar(image, ax=right)
    return drawn


def _draw_lens(pyplot: Any, bundle: Bundle, trace: Trace) -> Any:
    """Draw the most probable token after each layer, with its probability."""
    lens = logit_lens(bundle, trace, trace.prediction.head if trace.prediction else None, top=1)
    best = [[position.candidates[0] for position in layer.positions] for layer in lens]
    probabilities = np.array([[candidate.probability for candidate in row] for row in best])
    text = trace.target or trace.source
    columns = _labels(text) if text and len(best[0]) == len(text.tokens) else ["text"]
    rows = ["embedding", *(f"layer {i}" for i in range(len(lens) - 1))]
    drawn, ax = _draw_matrix(pyplot, probabilities, rows, columns)
    for i, row in enumerate(best):
        for j, candidate in enumerate(row):
            color = "white" if candidate.probability > 0.6 else "black"
            name = _escape(candidate.text)
            ax.text(j, i, name, ha="center", va="center", size=7, color=color)
    ax.set_title("most probable output after each layer, unadjusted")
    return drawn


FIGURES: dict[str, Callable[[Any, Bundle, Trace], Any]] = {
    "heads": _draw_heads,
    "alignment": _draw_alignment,
    "positions": _draw_positions,
    "lens": _draw_lens,
}


def _draw_matrix(
    pyplot: Any, values: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> tuple[Any, Any]:
    """Draw values from 0 to 1 with the names of rows and columns."""
    size = (max(5.0, 0.55 * len(columns) + 2.5), max(2.5, 0.4 * len(rows) + 1.2))
    drawn, ax = pyplot.subplots(figsize=size, layout="constrained")
    image = ax.imshow(values, cmap=WEIGHTS, vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(columns)), labels=columns, rotation=45, ha="right")
    ax.set_yticks(range(len(rows)), labels=rows)
    drawn.colorbar(image, ax=ax)
    return drawn, ax


def _labels(text: TracedText) -> list[str]:
    """Return the readable tokens of a text."""
    return [_escape(token.display.strip() or token.piece) for token in text.tokens]


def _escape(text: str) -> str:
    """Return text as it is drawn; matplotlib takes text between dollars for a formula."""
    return text.strip().replace("$", r"\$")


@contextmanager
def _settings() -> Iterator[Any]:
    """Yield pyplot, with text that stays text and equal files for equal figures."""
    try:
        import matplotlib as mpl
        from matplotlib import font_manager, pyplot
    except ImportError:
        raise ResourceError(
            "figures are drawn by matplotlib, which is not installed. pip install pellucid[plot]"
        ) from None
    mpl.use("svg")
    known = set(font_manager.get_font_names())
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "pellucid",
        "font.family": [font for font in FONTS if font in known],
        "font.size": 9,
    }
    with mpl.rc_context(settings):
        yield pyplot
