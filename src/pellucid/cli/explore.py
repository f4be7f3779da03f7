"""`pellucid explore`: a page that shows what a model computes for a text."""

from dataclasses import dataclass
from pathlib import Path

from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Write a page that shows what a model computes for a text, step by step.

    pellucid explore MODEL --text "The cat sleeps." --html cat.html
    """

    model: str = positional()
    """A model's directory, of pellucid or downloaded, or hf://owner/name."""
    text: str = ""
    """The text; two texts with a tab between them for a model that reads pairs."""
    html: str = ""
    """The file to write: one page that needs no server and no network."""
    target: str = ""
    """What the decoder writes; empty means what the model itself writes."""
    to: str = ""
    """Target language of a model with several."""
    head: str = ""
    """The head that predicts, of a model with several."""
    max_new: int = 8
    """Tokens with which a decoder alone continues the text, at most."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""


def run(options: Options) -> int:
    """Write the page and print its path."""
    if not options.text.strip():
        raise UsageError('there is no text. Give one: --text "The cat sleeps."')
    if not options.html:
        raise UsageError("there is no file to write. Give one: --html cat.html")
    from pellucid.explorer.page import read_template, render_page
    from pellucid.files import atomic_write, check_writable

    read_template()  # a page that is not built is an error before the model is loaded
    check_writable(Path(options.html))
    model = load_model(options.model, options.device, decodes=False)
    from pellucid.explorer.content import describe_trace

    trace = model.trace(
        options.text,
        target=options.target or None,
        to=options.to,
        max_new=options.max_new,
        head=options.head or None,
    )
    page = render_page(describe_trace(model.bundle, trace, Path(options.model).name))
    atomic_write(Path(options.html), page.encode())
    print(options.html)
    return 0
