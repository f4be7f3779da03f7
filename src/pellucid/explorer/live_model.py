"""A model that a page asks, and the content of a page about one text."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from pellucid.explain.outputs import DISTRIBUTIONS
from pellucid.explain.rows import Rows, read_rows
from pellucid.explorer.ablated_parts import list_parts
from pellucid.explorer.attribution import count_gradients, describe_attribution
from pellucid.explorer.content import describe_effects, describe_text
from pellucid.explorer.long import describe_long, is_long
from pellucid.explorer.order import describe_order
from pellucid.explorer.page import check_size
from pellucid.explorer.request import TextRequest
from pellucid.explorer.search import describe_search
from pellucid.explorer.stream import describe_stream
from pellucid.formats.bundle import Bundle

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None] | None]]
"""Opens a progress bar with a name, of so many steps."""


@dataclass
class LiveModel:
    """A model that a page asks, and the text that it read last."""

    bundle: Bundle
    name: str
    full: bool = False
    """Whether all arrays are stored in float16, however large they are."""
    last: tuple[TextRequest, Rows] | None = None

    def read(self, request: TextRequest) -> Rows:
        """Return what the model reads for a text; the last text is not decoded again.

        Raises: UsageError as `read_rows`.
        """
        if self.last is None or self.last[0] != request:
            self.last = request, read_rows(self.bundle, request.text, request.writing)
        return self.last[1]

    def describe(self, request: TextRequest) -> dict[str, Any]:
        """Return the content of a live page, see `describe_text` and `describe_long`."""
        rows, head = self.read(request), request.chosen_head
        if is_long(rows):
            content = describe_long(self.bundle, rows, head, self.name)
            return {**content, "request": asdict(request)}
        return self.describe_whole(request)

    def describe_whole(self, request: TextRequest) -> dict[str, Any]:
        """Return the content of a page with all arrays, see `describe_text`, with the request."""
        rows = self.read(request)
        content = describe_text(self.bundle, rows, request.chosen_head, self.name, full=self.full)
        return {**content, "request": asdict(request)}

    def describe_all(self, request: TextRequest, bar: Bar | None = None) -> dict[str, Any]:
        """Return the content of a page that cannot ask for more.

        bar: given what is measured and in how many steps, a context whose value is called with the
        number of steps that are done; None: without the effects of parts and attributions.
        Raises: UsageError if the page would be too large.
        """
        content, rows = self.describe_whole(request), self.read(request)
        bundle, head = self.bundle, request.chosen_head
        # Before the parts are measured, which takes long for a long text.
        n_bytes = sum(len(array["data"]) for array in content["trace"]["arrays"].values())
        check_size(n_bytes, full=self.full)
        prediction = content["trace"]["prediction"]
        if bar is not None and prediction is not None and prediction["reading"] in DISTRIBUTIONS:
            with bar("switching parts off", len(list_parts(bundle.model))) as advance:
                content["effects"] = describe_effects(bundle, rows, head, advance)
            if n_gradients := count_gradients(bundle, rows, head):
                with bar("following gradients", n_gradients) as advance:
                    content["attribution"] = describe_attribution(
                        bundle, rows, head, progress=advance
                    )
        content["stream"] = None if prediction is None else describe_stream(bundle, rows, head)
        content["order"] = describe_order(self.bundle, rows)
        content["search"] = describe_search(self.bundle, rows, request.writing)
        return content
