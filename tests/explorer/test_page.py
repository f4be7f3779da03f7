"""The page's file.

Authority: the parser of the standard library for what is markup; CSP level 3 for the hashes, which
are of the text between the tags.
"""

import base64
import hashlib
import html.parser
import json
import re

import pytest

from pellucid.errors import ResourceError
from pellucid.explorer import page

TEMPLATE = """<!doctype html><html><head><!--pellucid:policy--><style>p { color: red }</style>
<script type="module">const a = "<style>b</style>";</script></head><body>
<script type="application/json" id="content"></script></body></html>"""
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "&lt;script&gt;",
    "\u2028alert(1)\u2029",
    "\\u003c/script>",
    "'\"`${alert(1)}",
)


class Elements(html.parser.HTMLParser):
    """The start tags of a page, and the text of its data."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.data, self.is_data = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.is_data = ("id", "content") in attrs

    def handle_endtag(self, tag):
        self.is_data = False

    def handle_data(self, data):
        if self.is_data:
            self.data += data


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    rendered = page.render_page({"name": text, text: [text]}, TEMPLATE)
    elements = Elements(rendered)
    assert elements.tags == [*Elements(TEMPLATE).tags[:2], "meta", *Elements(TEMPLATE).tags[2:]]
    assert json.loads(elements.data) == {"name": text, text: [text]}
    assert not re.search("[<>&\u2028\u2029]", page.escape_json({"name": text}))


def test_the_policy_allows_only_the_pages_own_code():
    rendered = page.render_page({}, TEMPLATE)
    (rules,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', rendered)
    policy = dict(rule.strip().split(" ", 1) for rule in rules.split(";"))
    (style,) = re.findall(r"<style>(p .*?)</style>", rendered)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', rendered)
    for name, code in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert policy[name] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["connect-src"] == "'none'"
    assert rendered.index("Content-Security-Policy") < rendered.index("<style>")


def test_a_page_that_is_not_built_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(page, "TEMPLATE", tmp_path / "app.html")
    page.read_template.cache_clear()
    with pytest.raises(ResourceError, match="make venv"):
        page.read_template()
    page.read_template.cache_clear()


def test_another_page_is_refused():
    with pytest.raises(ResourceError, match="not one that pellucid built"):
        page.render_page({}, "<html></html>")
