"""`pellucid explore`: a page that shows what a model computes for a text."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.faults import convert_errors
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.explorer.respond import LiveModel

MAX_PAGE = 25_000_000
"""Bytes of the largest page that is written."""


@dataclass(frozen=True)
class Options:
    """Show what a model computes for a text, step by step: in a browser, or as a file.

    pellucid explore MODEL --text "The cat sleeps."
    pellucid explore MODEL --text "The cat sleeps." --html cat.html

    Two models are compared on the text; two texts (--second-text) are compared in the model.
    """

    model: str = positional()
    """A model's directory, of pellucid or downloaded, or hf://owner/name."""
    other: str = positional("")
    """A second model, to compare with the first on the same text."""
    text: str = ""
    """The text; two texts with a tab between them for a model that reads pairs. The live page asks
    for one if there is none."""
    second_text: str = ""
    """A second text, to compare with the first in the same model."""
    html: str = ""
    """The file to write: one page that needs no server and no network. Without it, a live page is
    served to browsers on this machine until Ctrl-C."""
    port: int = 0
    """Port of the live page; 0 means 7864, or a free one if that is in use."""
    target: str = ""
    """What the decoder writes; empty means what the model itself writes."""
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the text, for a model that marks it (mBART, M2M-100)."""
    head: str = ""
    """The head that predicts, of a model with several."""
    max_new: int = 8
    """Tokens with which a decoder alone continues the text, at most."""
    no_ablation: bool = False
    """With --html: leave out what changes without each part, a forward pass for each, and the
    shares of tokens, 32 gradients for each output."""
    full: bool = False
    """With --html: store every array with 16 bits, in a larger file."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""

    @property
    def compares(self) -> bool:
        """Whether the page shows two models or two texts."""
        return bool(self.other or self.second_text)


def run(options: Options) -> int:
    """Write the page and print its path, or serve it and print its address."""
    from pellucid.explorer.page import read_template

    _check(options)
    read_template()  # a page that is not built is an error before the model is loaded
    return _write(options) if options.html else _serve(options)


def _check(options: Options) -> None:
    """Raises: UsageError if options contradict each other."""
    if (options.html or options.compares) and not options.text.strip():
        raise UsageError('there is no text. Give one: --text "The cat sleeps."')
    if options.other and options.second_text:
        raise UsageError(
            "a second model and a second text: the page compares one of them. Use one."
        )
    if options.html and options.port:
        raise UsageError("--port is for the live page, --html writes a file. Leave one out.")
    if options.no_ablation and not options.html:
        raise UsageError("--no-ablation is for --html: a live page measures only when asked.")
    if options.full and not options.html:
        raise UsageError("--full is for --html. Add it, or leave out --full.")
    if not 0 <= options.port < 1 << 16:
        raise UsageError(f"--port {options.port}: ports are 1 to 65535.")


def _write(options: Options) -> int:
    from pellucid.explorer.page import render_page
    from pellucid.files import atomic_write, check_writable

    check_writable(Path(options.html))
    content = _compare(options) if options.compares else _show(options)
    page = render_page(content).encode()
    if len(page) > MAX_PAGE:
        raise UsageError(
            f"the page would have {len(page) / 1e6:.0f} MB, more than the {MAX_PAGE / 1e6:.0f} that"
            f" a browser opens with ease. Shorten the text{', or leave out --full' * options.full}."
        )
    atomic_write(Path(options.html), page)
    print(options.html)
    return 0


def _serve(options: Options) -> int:
    from pellucid.explorer.page import render_page
    from pellucid.explorer.respond import respond
    from pellucid.explorer.server import Site, open_server

    # Opened first: a port in use is an error before the model is loaded.
    with open_server(options.port) as server:
        model = None if options.compares else _open(options.model, options)
        content = _compare(options) if model is None else _start(model, options)

        def answer(record: object) -> dict[str, Any]:
            if model is None:
                raise UsageError("a page that compares answers no questions.")
            with convert_errors():
                return respond(model, record)

        server.site = Site(render_page(content, live=model is not None), answer)
        print(server.address, flush=True)
        print("Open this address in a browser. Ctrl-C ends.", file=sys.stderr)
        server.serve_forever()
    return 0


def _start(model: "LiveModel", options: Options) -> dict[str, Any]:
    """Return what a live page shows first."""
    from pellucid.explorer.live import describe_live

    content = describe_live(model.bundle, model.name)
    return content | (_describe(model, options, options.text) if options.text.strip() else {})


def _show(options: Options) -> dict[str, Any]:
    """Return what the page of one model and one text shows."""
    return _describe(_open(options.model, options), options, options.text)


def _compare(options: Options) -> dict[str, Any]:
    """Return what the page of two models or of two texts shows."""
    from pellucid.explorer.compare import describe_comparison, name_apart

    if not options.other:
        model, texts = _open(options.model, options), (options.text, options.second_text)
        contents = [_describe(model, options, text) for text in texts]
        return describe_comparison(contents, (model.bundle, model.bundle), "texts")
    models = [
        _open(path, options, name)
        for path, name in zip(
            (options.model, options.other), name_apart(options.model, options.other), strict=True
        )
    ]
    contents = [_describe(model, options, options.text) for model in models]
    return describe_comparison(contents, [model.bundle for model in models], "models")


def _open(path: str, options: Options, name: str = "") -> "LiveModel":
    from pellucid.explain.trace import check_has_layers
    from pellucid.explorer.respond import LiveModel

    bundle = load_model(path, options.device, decodes=False).bundle
    check_has_layers(bundle)
    return LiveModel(bundle, name or Path(path).name, options.full)


def _describe(model: "LiveModel", options: Options, text: str) -> dict[str, Any]:
    """Return what the page shows of one text in one model."""
    from pellucid.cli.evaluate_translations import progress
    from pellucid.explorer.request import TextRequest

    names = ("target", "to", "source_language", "head", "max_new")
    request = TextRequest(text=text, **{name: getattr(options, name) for name in names})
    if not options.html:  # the live page asks for the rest when it is wanted
        return model.describe(request)
    return model.describe_all(request, None if options.no_ablation else progress)
