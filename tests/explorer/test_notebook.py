"""A trace in a notebook.

Authority: the parser of the standard library for the frame's attributes; Chromium for the page in a
frame of a page that has its own address.
"""

import sys
from functools import partial
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

import pellucid
from pellucid.api import shown_trace
from pellucid.errors import UsageError
from pellucid.explorer.page import render_page

TEXT = "我爱你。"


class Frames(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.frames = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.frames.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def trace():
    return pellucid.load("zh-en", device="cpu").trace(TEXT)


PAGE = """<html><head><!--pellucid:policy--></head><body>
<script type="application/json" id="content"></script></body></html>"""


@pytest.fixture
def template(monkeypatch):
    """A page that is there without Node."""
    monkeypatch.setattr(shown_trace, "render_page", partial(render_page, template=PAGE))


def test_the_frame_holds_the_page(template, tmp_path):
    trace = pellucid.load("zh-en", device="cpu").trace(TEXT)
    ((tag, attributes),) = Frames(trace._repr_html_()).frames
    trace.save_html(tmp_path / "page.html")
    assert (tag, attributes["srcdoc"]) == ("iframe", (tmp_path / "page.html").read_text("utf-8"))
    assert "allow-same-origin" not in attributes["sandbox"]


def test_a_part_of_a_trace_makes_no_page():
    trace = pellucid.load("zh-en", device="cpu").trace(TEXT, parts=["attention"])
    assert trace._repr_html_() is None
    with pytest.raises(UsageError, match="only some parts"):
        trace.save_html("page.html")


def test_show_without_and_with_a_notebook(template, monkeypatch):
    trace = pellucid.load("zh-en", device="cpu").trace(TEXT)
    opened, displayed = [], []
    monkeypatch.setattr(shown_trace.webbrowser, "open", opened.append)
    monkeypatch.setitem(sys.modules, "IPython", None)
    trace.show()
    assert opened[0].startswith("file://")
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=displayed.append))
    trace.show()
    assert displayed == [trace]
    assert len(opened) == 1


def test_the_page_works_in_a_frame(browser, trace, tmp_path):
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{trace._repr_html_()}", encoding="utf-8")
    page = browser.new_page(locale="en-US")
    seen = []
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("h1").wait_for()
    links = frame.locator("nav.path a")
    for i in range(links.count()):
        links.nth(i).click()
        assert links.nth(i).get_attribute("aria-current") == "step"
    assert seen == []
    page.close()
