"""The live page in a real browser.

Authority: Chromium, for what is asked and shown; the model called by Python, for the numbers;
axe-core, for accessibility (WCAG 2.2 AA).
"""

import threading

import pytest

import pellucid
from explorer.browser import AXE, serious_violations
from pellucid.explorer.live import describe_live
from pellucid.explorer.page import render_page
from pellucid.explorer.respond import LiveModel, respond
from pellucid.explorer.server import Site, open_server

TEXT = "猫追狗。"


@pytest.fixture(scope="module")
def loaded():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture(scope="module")
def server(loaded):
    model = LiveModel(loaded.bundle, "zh-en")
    page = render_page(describe_live(loaded.bundle, "zh-en"), live=True)
    with open_server() as server:
        server.site = Site(page, lambda record: respond(model, record))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser, server):
    page = browser.new_context(locale="en-US", reduced_motion="reduce").new_page()
    page.seen = []
    page.on("pageerror", lambda error: page.seen.append(str(error)))
    page.on("request", lambda request: page.seen.append(request.url))
    page.goto(server.address)
    page.wait_for_selector("h1")
    yield page
    wrong = [url for url in page.seen if url not in (server.address, f"{server.address}respond")]
    page.context.close()
    assert not wrong


def read(page, text):
    """Enter a text, and wait until it is shown."""
    page.get_by_label("Text for the model").fill(text)
    page.get_by_role("button", name="Show").click()
    page.locator("form[aria-busy=false]").wait_for()


def violations(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return serious_violations(page)


def test_a_text_of_the_reader(page, loaded):
    assert page.locator("h1").inner_text() == "What should zh-en read?"
    assert not violations(page)
    for text in (TEXT, "狗追猫。"):  # the second one replaces the first
        read(page, text)
        page.locator("nav.path a", has_text="The next word").click()
        position = loaded.trace(text).prediction.positions[0]
        page.get_by_label("Token").get_by_role("button").first.click()
        title = page.locator("h1").inner_text()
        assert f"“{position.chosen.text.strip()}”" in title
        assert f"{position.chosen.probability:.2f}" in title
    assert not violations(page)


def test_settings_are_sent(page):
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("What it writes").fill("A dog sleeps.")
    read(page, TEXT)
    page.locator("nav.path a", has_text="Text becomes tokens").click()
    assert "sleeps" in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("text", "message"), [("", "the text is empty"), ("好" * 400, "Shorten it")]
)
def test_a_text_that_cannot_be_read(page, text, message):
    read(page, text)
    assert message in page.get_by_role("alert").inner_text()
    assert not violations(page)
    read(page, TEXT)  # the page goes on
    assert page.get_by_role("alert").count() == 0
    read(page, text)  # a trace stays where it is
    assert message in page.get_by_role("alert").inner_text()
    assert page.locator("nav.path").is_visible()


def test_a_server_that_has_ended(page):
    page.route("**/respond", lambda route: route.abort())
    read(page, TEXT)
    assert "does not answer" in page.get_by_role("alert").inner_text()
