"""`pellucid explore`: a page that shows what a model computes for a text."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.faults import SIGINT_CODE, Stopped, convert_errors
from pellucid.cli.models import load_model
from pellucid.cli.parse import positional
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.explorer.compare import ComparedModels
    from pellucid.explorer.live_model import LiveModel
    from pellucid.explorer.request import TextRequest

Respond = Callable[[object], dict[str, Any]]


@dataclass(frozen=True)
class Options:
    """Show what a model computes for a text, step by step: in a browser, or as a file.

    pellucid explore MODEL --text "The cat sleeps."
    pellucid explore MODEL --text "The cat sleeps." --html cat.html

    Two models are compared on the text; two texts (--second-text) are compared in the model.
    """

    model: str = positional()
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name."""
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
    """Maximum number of tokens with which a decoder-only model continues the text."""
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
    from pellucid.explorer.page import check_size, render_page
    from pellucid.files import atomic_write, check_writable

    check_writable(Path(options.html))
    page = render_page(_show(options)).encode()
    check_size(len(page), full=options.full)
    atomic_write(Path(options.html), page)
    print(options.html)
    return 0


def _serve(options: Options) -> int:
    from pellucid.explorer.page import render_page
    from pellucid.explorer.server import Site, open_server

    # Opened first: a port in use is an error before the model is loaded.
    with open_server(options.port) as server:
        content, respond = (_start_comparison if options.compares else _start)(options)

        def answer(record: object) -> dict[str, Any]:
            with convert_errors():
                return respond(record)

        server.site = Site(render_page(content, live=True), answer)
        print(server.address, flush=True)
        print("Open this address in a browser. Ctrl-C ends.", file=sys.stderr)
        try:
            server.serve_forever()
        except (KeyboardInterrupt, Stopped) as end:
            # Threads of requests may still run. Those cannot be stopped, and Python or torch can
            # abort when it ends before them.
            os._exit(end.code if isinstance(end, Stopped) else SIGINT_CODE)
    return 0


def _start(options: Options) -> tuple[dict[str, Any], Respond]:
    """Return what a live page shows first, and what answers its requests."""
    from pellucid.explorer.live import describe_live
    from pellucid.explorer.respond import respond

    model = _open(options.model, options)
    content = describe_live(model.bundle, model.name)
    if options.text.strip():
        content |= model.describe(_request(options, options.text))
    return content, partial(respond, model)


def _start_comparison(options: Options) -> tuple[dict[str, Any], Respond]:
    """Return the same of a page that compares."""
    from pellucid.explorer.compare import respond_compared

    models = _open_two(options)
    content = models.describe_live() | models.describe(*_two_requests(options))
    return content, partial(respond_compared, models)


def _show(options: Options) -> dict[str, Any]:
    """Return what a page without a server shows of one model or of a comparison."""
    from pellucid.cli.evaluate_translations import progress
    from pellucid.explorer.live_model import LiveModel

    bar = None if options.no_ablation else progress
    describe = partial(LiveModel.describe_all, bar=bar)
    if options.compares:
        return _open_two(options).describe(*_two_requests(options), describe)
    return describe(_open(options.model, options), _request(options, options.text))


def _open_two(options: Options) -> "ComparedModels":
    from pellucid.explorer.compare import ComparedModels, name_apart

    if not options.other:
        first = _open(options.model, options)
        return ComparedModels(first, replace(first))
    first, second = name_apart(options.model, options.other)
    return ComparedModels(
        _open(options.model, options, first), _open(options.other, options, second)
    )


def _open(path: str, options: Options, name: str = "") -> "LiveModel":
    from pellucid.explain.trace import check_has_layers
    from pellucid.explorer.live_model import LiveModel

    bundle = load_model(path, options.device, decodes=False).bundle
    check_has_layers(bundle)
    return LiveModel(bundle, name or Path(path).name, options.full)


def _two_requests(options: Options) -> tuple["TextRequest", "TextRequest"]:
    return _request(options, options.text), _request(options, options.second_text or options.text)


def _request(options: Options, text: str) -> "TextRequest":
    from pellucid.explorer.request import TextRequest

    names = ("target", "to", "source_language", "head", "max_new")
    return TextRequest(text=text, **{name: getattr(options, name) for name in names})
