"""The page at `/` and the explorers. Authority: Chromium, and `respond` without a server."""

import json
import re

import pytest

from explorer.browser import open_browser
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.page import TEMPLATE
from pellucid.explorer.respond import respond

MARKUP = "<img src=x onerror=document.title=1>"


@pytest.fixture
def page(server):
    with open_browser() as browser:
        page = browser.new_context(locale="en-US").new_page()
        page.seen = []
        page.on("console", lambda message: page.seen.append(message.text))
        page.on("pageerror", lambda error: page.seen.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.port}/")
        yield page


def test_the_page_tries_a_model_in_two_languages(page):
    page.wait_for_selector("option[value='en-de']", state="attached")
    page.fill("#first", "The dog sleeps.\n\nA cat.")
    page.click("#send")
    page.wait_for_selector("#result td")
    assert page.locator("#result td").all_inner_texts() == ["Der Hund schläft.", "Eine Katze."]
    page.click("#language")
    assert page.locator("#send").inner_text() == "发送"
    page.select_option("#model", "classifier")
    assert page.locator("#verb option").all_inner_texts() == ["分类", "文本向量"]
    page.click("#send")
    page.wait_for_selector("#result td:nth-child(2)")
    assert page.seen == []
    page.select_option("#model", "answerer")
    page.fill("#second", MARKUP)
    page.click("#send")
    page.wait_for_selector("#result tr")
    page.select_option("#model", "bert")
    page.select_option("#verb", "fill")
    page.fill("#first", MARKUP)
    page.click("#send")
    page.wait_for_selector("#result table.fault")
    assert MARKUP in page.locator("#result").inner_text()  # E8: text, no element
    assert page.locator("img").count() == 0
    assert page.title() == "pellucid"


def test_every_text_of_the_page_has_both_languages(server):
    """Authority: the two tables of texts in the page."""
    source = server.client.get("/").text
    english, chinese = re.findall(r"^  (?:en|zh): \{(.*?)^  \},", source, re.S | re.M)
    names = [re.findall(r"\b(\w+): \"", texts) for texts in (english, chinese)]
    assert names[0] == names[1]
    assert len(names[0]) > 20


def test_the_page_runs_only_its_own_code(server):
    response = server.client.get("/")
    assert response.headers["X-Frame-Options"] == "DENY"
    (rules,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', response.text)
    assert rules.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in rules


@pytest.mark.skipif(not TEMPLATE.is_file(), reason="the explorer's page is not built: make venv")
def test_the_explorer_of_a_model(server, page):
    page.wait_for_selector("option[value='en-de']", state="attached")
    page.click("#explore")
    page.wait_for_url(f"http://127.0.0.1:{server.port}/explore/en-de/")
    page.wait_for_selector("h1")
    page.goto(f"http://127.0.0.1:{server.port}/explore/zh-en")
    page.wait_for_url("**/explore/zh-en/")


def test_the_explorer_answers(server, loaded):
    record = {"ask": "trace", "text": {"text": "The dog sleeps."}}
    reply = server.ask("/explore/en-de/respond", **record)
    expected = json.loads(json.dumps(respond(LiveModel(loaded["en-de"].bundle, "en-de"), record)))
    assert reply["trace"]["prediction"] == expected["trace"]["prediction"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"ask": "trace"}, "the request has no text"),
        ({"ask": "trace", "text": {"text": "a" * 401}}, "401 characters, more than 400"),
        ({"ask": "trace", "text": {"text": "a", "max_new": 401}}, "max_new"),
        ({"ask": "trace", "text": {"text": "a", "target": "b" * 401}}, "target has 401 characters"),
        ({"ask": "patch", "text": {"text": "a"}, "other": "b" * 401}, "other has 401 characters"),
        (
            {"ask": "search", "text": {"text": "a"}, "search": {"prefix": [5] * 401}},
            "prefix has 401 tokens, more than 400",
        ),
        ({"ask": "x", "text": {"text": "a"}}, "the request asks for 'x'"),
    ],
)
def test_errors_are_those_that_the_page_shows(server, body, message):
    response = server.post("/explore/en-de/respond", **body)
    assert response.status_code == 400
    assert message in response.json()["error"]
