"""`pellucid explore`: a page that shows a model's inside on a text."""

from dataclasses import dataclass
from pathlib import Path

from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Write a page that shows what a model computes for a text, step by step.

    pellucid explore en-de --text "The animal is tired." --html animal.html
    """

    model: str = positional()
    """A model's directory, a finished run, or the name of a model that comes with pellucid."""
    text: str = ""
    """What the model reads; two texts of an encoder have a tab between them."""
    html: str = ""
    """Write the page to this file. It needs no server and no network."""
    target: str | None = None
    """What the decoder writes, instead of what the model chooses."""
    to: str = ""
    """Target language of a model with several."""
    max_new: int = 8
    """Tokens with which a decoder alone continues the text, at most."""
    head: str | None = None
    """The head that predicts, of a model with several."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""


def run(options: Options) -> int:
    """Write the page and print its path."""
    if not options.text.strip():
        raise UsageError('the text is empty. Give a sentence: --text "The animal is tired."')
    if not options.html:
        raise UsageError("--html is missing. Give the file to write: --html out.html")
    from pellucid.explorer.page import read_template

    read_template()  # a missing page is an error before the model is loaded
    model = load_model(options.model, options.device)
    from pellucid.explain.rows import Writing
    from pellucid.explain.trace import TraceSpec, trace
    from pellucid.explorer.content import describe_trace
    from pellucid.explorer.page import render_page

    writing = Writing(options.target, options.to, options.max_new)
    traced = trace(model.bundle, options.text, TraceSpec(head=options.head), writing)
    page = render_page(describe_trace(model.bundle, traced, Path(options.model).name))
    Path(options.html).write_text(page, encoding="utf-8")
    print(options.html)
    return 0
