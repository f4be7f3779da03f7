"""One self-contained HTML file: the built page with the data of a trace inside."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pellucid.errors import ResourceError, UsageError
from pellucid.explorer.json_text import dump_json

TEMPLATE = Path(__file__).parent / "static" / "app.html"
CONTENT = '<script type="application/json" id="content">'
POLICY = "<!--pellucid:policy-->"
MAX_PAGE = 25_000_000
"""Bytes of the largest page that is written."""
# Everything that could end the element that holds the data, or a JavaScript string.
ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render_page(
    content: Mapping[str, Any], template: str | None = None, *, live: bool = False
) -> str:
    """Return the page that shows `content`, which are JSON values.

    template: the built page; None: the one that comes with pellucid.
    The page's policy lets only its own script and styles run, and lets it load nothing; a live page
    may ask the server that it comes from.
    Raises: ResourceError if the page is not built.
    """
    template = read_template() if template is None else template
    before, marker, after = template.partition(CONTENT)
    if not marker or POLICY not in before:
        raise ResourceError("the page is not one that pellucid built. Build it: make venv.")
    head = before.replace(POLICY, policy(template, live=live), 1)
    return head + marker + escape_json(content) + after


def check_size(n_bytes: int, *, full: bool) -> None:
    """Raises: UsageError if a page would be larger than a browser opens with ease."""
    if n_bytes > MAX_PAGE:
        raise UsageError(
            f"the page would have {n_bytes / 1e6:.0f} MB, more than the {MAX_PAGE / 1e6:.0f} that"
            f" a browser opens with ease. Shorten the text{', or leave out --full' * full}; a live"
            " page (without --html) shows long texts."
        )


def escape_json(content: Mapping[str, Any]) -> str:
    """Return JSON that no parser of HTML takes for markup. Raises: DataError as `dump_json`."""
    return dump_json(content).translate(ESCAPES)


def policy(template: str, *, live: bool = False) -> str:
    """Return the element that forbids the page all but its own script, styles and images.

    live: allow requests to the page's own server.
    """
    code = _InlineCode()
    code.feed(template)
    scripts, styles = (" ".join(map(_hash, code.bodies[tag])) for tag in ("script", "style"))
    connect = "'self'" if live else "'none'"
    rules = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; "
        f"img-src data: blob:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}" />'


@cache
def read_template() -> str:
    """Return the built page. Raises: ResourceError if it is not built."""
    if not TEMPLATE.is_file():
        raise ResourceError(
            "the explorer's page is not part of this installation: it was built without Node."
            " In a checkout, run: make venv."
        )
    return TEMPLATE.read_text(encoding="utf-8")


class _InlineCode(HTMLParser):
    """Collects the scripts and styles of a page, by tag."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: dict[str, list[str]] = {"script": [], "style": []}
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_data = ("type", "application/json") in attrs
        self._tag = tag if tag in self.bodies and not is_data else ""

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag:
            self.bodies[self._tag].append(data)


def _hash(body: str) -> str:
    """Return what a policy says of the code that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
