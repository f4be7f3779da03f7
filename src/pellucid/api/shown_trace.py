"""A trace that shows itself as the explorer's page: in a notebook, in a browser, as a file."""

import html
import sys
import tempfile
import webbrowser
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path

from pellucid.errors import UsageError
from pellucid.explain.rows import Writing
from pellucid.explain.trace import Trace, TraceSpec, trace
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.page import render_page
from pellucid.explorer.request import TextRequest
from pellucid.files import atomic_write
from pellucid.formats.bundle import Bundle

HEIGHT = 820
"""Of the page in a notebook, in pixels."""


@dataclass(frozen=True)
class ShownTrace(Trace):
    """A trace with the page that `pellucid explore --html` writes for its text."""

    query: tuple[LiveModel, TextRequest] | None = field(default=None, repr=False, compare=False)
    """The model and the text; None if the trace has only some parts, which make no page."""

    @cached_property
    def page(self) -> str:
        """The page's HTML. Raises: UsageError if the trace has only some parts."""
        if self.query is None:
            raise UsageError(
                "this trace has only some parts or layers, but the page shows all. Leave out parts"
                " and layers."
            )
        model, request = self.query
        return render_page(model.describe_all(request, lambda what, n: nullcontext()))

    def save_html(self, path: str | Path) -> None:
        """Write the page. Raises: UsageError as `page`; ResourceError if the disk is full."""
        atomic_write(Path(path), self.page.encode())

    def show(self) -> None:
        """Show the page: in a notebook below the cell, elsewhere in a browser, from a file."""
        if _is_notebook():
            import_module("IPython.display").display(self)
            return
        with tempfile.NamedTemporaryFile("wb", suffix=".html", delete=False) as file:
            file.write(self.page.encode())
        webbrowser.open(Path(file.name).as_uri())

    def _repr_html_(self) -> str | None:
        """Return the page in a frame, for notebooks; None if the trace makes no page."""
        if self.query is None:
            return None
        source = html.escape(self.page)
        return (
            f'<iframe srcdoc="{source}" title="pellucid" width="100%" height="{HEIGHT}"'
            ' sandbox="allow-scripts" style="border: 0"></iframe>'
        )


def trace_shown(bundle: Bundle, text: str, spec: TraceSpec, writing: Writing) -> ShownTrace:
    """Return a trace with its page. Raises: UsageError as `trace`."""
    traced = trace(bundle, text, spec, writing)
    query = None
    if not (spec.parts or spec.layers):
        request = TextRequest(
            text=text,
            target=writing.target or "",
            to=writing.to,
            source_language=writing.source_language,
            head=spec.head or "",
            max_new=writing.max_new,
        )
        query = LiveModel(bundle, bundle.family), request
    return ShownTrace(**vars(traced), query=query)


def _is_notebook() -> bool:
    """Return whether this is a notebook's kernel, which has loaded IPython then."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"
