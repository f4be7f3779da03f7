"""A browser for all tests of the page."""

import threading
from contextlib import contextmanager

import pytest

import pellucid
from explorer.browser import open_browser
from pellucid.explorer.page import TEMPLATE, render_page
from pellucid.explorer.server import Site, open_server


@contextmanager
def serve(content, respond):
    """Serve a live page to the browser of this machine."""
    with open_server() as server:
        server.site = Site(render_page(content, live=True), respond)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        with server.one_at_a_time:  # or Python could end while torch still computes
            pass


@pytest.fixture(scope="module")
def browser():
    if not TEMPLATE.is_file():
        pytest.skip("the explorer's page is not built: make venv")
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def zh_en():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture
def show(browser, tmp_path):
    """Open a page of some content; its messages and requests are in `.seen`."""
    pages = []

    def open_page(content, fragment="", **context):
        file = tmp_path / f"page-{len(pages)}.html"
        file.write_text(render_page(content), encoding="utf-8")
        page = browser.new_context(locale="en-US", **context).new_page()
        page.seen = []
        page.on("console", lambda message: page.seen.append(message.text))
        page.on("pageerror", lambda error: page.seen.append(str(error)))
        page.on("dialog", lambda dialog: (page.seen.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: page.seen.append(request.url))
        page.goto(file.as_uri() + fragment)
        page.wait_for_selector("h1")
        assert page.seen.pop(0).startswith(file.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
