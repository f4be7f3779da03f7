"""Live pages that compare.  Authority: the calls for one model; Chromium."""

from dataclasses import replace
from functools import partial

import pytest

import pellucid
from explorer.conftest import serve
from pellucid.errors import ConfigError, UsageError
from pellucid.explorer.compare import ComparedModels, respond_compared
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import respond

TEXTS = ("猫追狗。", "狗追猫。")


@pytest.fixture(scope="module")
def model():
    return LiveModel(pellucid.load("zh-en", device="cpu").bundle, "zh-en")


@pytest.fixture(scope="module")
def two_texts(model):
    return ComparedModels(replace(model), replace(model))


def test_two_models_read_one_text(model):
    other = LiveModel(pellucid.load("en-de", device="cpu").bundle, "en-de")
    models = ComparedModels(model, other)
    text = {"text": "The dog sleeps."}
    content = respond_compared(models, {"ask": "compare", "first": text, "second": text})
    assert content["comparison"] == {"differs": "models", "has_one_vocabulary": False}
    assert [each["name"] for each in (content, content["second"])] == ["zh-en", "en-de"]
    assert models.describe_live()["live"]["compares"] == "models"
    question = {"ask": "search", "text": text}
    assert respond_compared(models, {**question, "model": 1}) == respond(other, question)
    assert respond_compared(models, question) == respond(model, question)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "not a JSON object"),
        ({"ask": "trace", "model": 2}, "`model` is 2"),
        ({"ask": "compare", "first": {"text": "猫"}}, "second"),
        ({"ask": "compare", "first": {"text": "猫"}, "second": {"text": " "}}, "is empty"),
        ({"ask": "compare", "first": {"text": "猫"}, "second": {}, "third": {}}, "third"),
        ({"model": 1}, "Known: trace"),
    ],
)
def test_a_bad_request_is_an_error_in_words(two_texts, record, message):
    with pytest.raises((UsageError, ConfigError), match=message):
        respond_compared(two_texts, record)


def test_other_texts_are_compared(browser, two_texts, model):
    first, second = map(TextRequest, TEXTS)
    content = two_texts.describe_live() | two_texts.describe(first, second)
    with serve(content, partial(respond_compared, two_texts)) as server:
        page = browser.new_context(
            locale="en-US", viewport={"width": 360, "height": 800}
        ).new_page()
        page.goto(server.address)
        assert page.get_by_label("Text B").input_value() == TEXTS[1]
        page.get_by_label("Text B").fill("我爱猫。")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("button", name="B 我爱猫。").click()
        page.locator("nav.path a", has_text="The search").click()
        page.locator(".tree").wait_for()
        text = pellucid.load("zh-en", device="cpu").translate(["我爱猫。"])[0].text
        assert f"“{text}” has the best score" in page.locator("h1").inner_text()
        assert page.get_by_label("Text A").input_value() == TEXTS[0]
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_label("Text A").fill("")
        page.get_by_role("button", name="Show").click()
        assert "the text is empty" in page.get_by_role("alert").inner_text()
        page.context.close()
