"""`pellucid explore`: a page that shows what a model computes for a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.formats.bundle import Bundle


@dataclass(frozen=True)
class Options:
    """Write a page that shows what a model computes for a text, step by step.

    pellucid explore MODEL --text "The cat sleeps." --html cat.html

    Two models are compared on the text; two texts (--second-text) are compared in the model.
    """

    model: str = positional()
    """A model's directory, of pellucid or downloaded, or hf://owner/name."""
    other: str = positional("")
    """A second model, to compare with the first on the same text."""
    text: str = ""
    """The text; two texts with a tab between them for a model that reads pairs."""
    second_text: str = ""
    """A second text, to compare with the first in the same model."""
    html: str = ""
    """The file to write: one page that needs no server and no network."""
    target: str = ""
    """What the decoder writes; empty means what the model itself writes."""
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the text, for a model that marks it (mBART)."""
    head: str = ""
    """The head that predicts, of a model with several."""
    max_new: int = 8
    """Tokens with which a decoder alone continues the text, at most."""
    no_ablation: bool = False
    """Leave out what changes without each head, which takes a forward pass for each."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""


def run(options: Options) -> int:
    """Write the page and print its path."""
    if not options.text.strip():
        raise UsageError('there is no text. Give one: --text "The cat sleeps."')
    if not options.html:
        raise UsageError("there is no file to write. Give one: --html cat.html")
    if options.other and options.second_text:
        raise UsageError(
            "a second model and a second text: the page compares one of them. Use one."
        )
    from pellucid.explorer.page import read_template, render_page
    from pellucid.files import atomic_write, check_writable

    read_template()  # a page that is not built is an error before the model is loaded
    check_writable(Path(options.html))
    content = _compare(options) if options.other or options.second_text else _show(options)
    atomic_write(Path(options.html), render_page(content).encode())
    print(options.html)
    return 0


def _show(options: Options) -> dict[str, Any]:
    """Return what the page of one model and one text shows."""
    bundle = load_model(options.model, options.device, decodes=False).bundle
    return _describe(bundle, options, options.text, Path(options.model).name)


def _compare(options: Options) -> dict[str, Any]:
    """Return what the page of two models or of two texts shows."""
    from pellucid.explorer.compare import describe_comparison, name_apart

    bundle = load_model(options.model, options.device, decodes=False).bundle
    if not options.other:
        texts, name = (options.text, options.second_text), Path(options.model).name
        contents = [_describe(bundle, options, text, name) for text in texts]
        return describe_comparison(contents, (bundle, bundle), "texts")
    bundles = bundle, load_model(options.other, options.device, decodes=False).bundle
    names = name_apart(options.model, options.other)
    contents = [
        _describe(bundle, options, options.text, name)
        for bundle, name in zip(bundles, names, strict=True)
    ]
    return describe_comparison(contents, bundles, "models")


def _describe(bundle: "Bundle", options: Options, text: str, name: str) -> dict[str, Any]:
    """Return what the page shows of one text in one model."""
    from pellucid.explain.rows import Writing, read_rows
    from pellucid.explain.trace import TraceSpec, trace_rows
    from pellucid.explorer.content import describe_effects, describe_layers, describe_trace

    head = options.head or None
    writing = Writing(options.target or None, options.to, options.source_language, options.max_new)
    rows = read_rows(bundle, text, writing)
    trace = trace_rows(bundle, rows, TraceSpec(head=head))
    content = describe_trace(bundle, trace, name)
    if trace.prediction and trace.prediction.reading == "single_label" and not options.no_ablation:
        content["effects"] = describe_effects(bundle, rows, head)
    if trace.prediction:
        content["lens"] = describe_layers(bundle, trace, head)
    return content
