"""`pellucid trace`: every intermediate result of one text."""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.cli.render import one_line
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.explain.prediction import PositionPrediction
    from pellucid.explain.trace import Trace

SHOWN = 3


@dataclass(frozen=True)
class Options:
    """Show what a model reads, writes and predicts for one text; --json prints all its numbers.

    pellucid trace MODEL --text "The cat sleeps." --json > trace.json
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
    text: str = ""
    """The text; two texts with a tab between them for a model that reads pairs."""
    target: str = ""
    """What the decoder writes; empty means what the model itself writes."""
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the text, for a model that marks it (mBART, M2M-100)."""
    head: str = ""
    """The head that predicts, of a model with several."""
    parts: tuple[str, ...] = ()
    """Parts of the trace; empty means all."""
    layers: tuple[int, ...] = ()
    """Numbers of the layers, from 0; empty means all."""
    json: bool = False
    """Print the trace as one JSON object."""
    svg: Literal["none", "heads", "alignment", "positions", "lens"] = "none"
    """Print a figure as SVG: the weights of all heads; the attention to the source; position
    vectors; the most probable output after each layer. Needs matplotlib (pellucid[plot])."""
    exact: bool = False
    """With --json: numbers in float32 instead of float16."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""


def run(options: Options) -> int:
    """Print the trace of one text."""
    if not options.text.strip():
        raise UsageError('there is no text. Give one: --text "The cat sleeps."')
    if options.json and options.svg != "none":
        raise UsageError("--json and --svg print to the same place. Use one.")
    if options.exact and not options.json:
        raise UsageError("--exact is for --json. Add it, or leave out --exact.")
    model = load_model(options.model, options.device, decodes=False)
    trace = model.trace(
        options.text,
        target=options.target or None,
        to=options.to,
        source_language=options.source_language,
        head=options.head or None,
        parts=options.parts,
        layers=options.layers,
    )
    if options.json:
        from pellucid.explain.encode import encode

        json.dump(encode(trace, exact=options.exact), sys.stdout, ensure_ascii=False)
        print()
    elif options.svg != "none":
        from pellucid.explain.figures import draw_svg

        print(draw_svg(model.bundle, trace, options.svg))
    else:
        print("\n".join(_table(trace)))
    return 0


def _table(trace: "Trace") -> list[str]:
    """Return lines that show the tokens and the prediction at each position."""
    lines = []
    for side, text in (("reads", trace.source), ("writes", trace.target)):
        if text is not None:
            shown = " · ".join(one_line(token.display or token.piece) for token in text.tokens)
            lines.append(f"{side:<7} {shown}")
    prediction, text = trace.prediction, trace.target or trace.source
    if prediction is None or text is None:
        return lines
    if prediction.kind == "sequence":
        return [*lines, f"{prediction.head:<7} {_ranking(prediction.positions[0])}"]
    tokens = [one_line(token.display or token.piece) for token in text.tokens]
    width = max(map(len, tokens))
    rows = zip(tokens, prediction.positions, strict=True)
    return [*lines, *(f"{token:<{width}}  {_ranking(position)}" for token, position in rows)]


def _ranking(position: "PositionPrediction") -> str:
    best = [
        f"{one_line(c.text).strip() or repr(c.text)} {c.probability:.3f}"
        for c in position.candidates[:SHOWN]
    ]
    return "  ".join(best)
