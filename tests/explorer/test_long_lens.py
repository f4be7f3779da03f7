"""The logit lens of long texts, for which a live page asks.

Authority: the logit lens of the whole trace; Chromium and axe-core, for what the page shows.
"""

import json
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest

import pellucid
from explain.zoo import MODELS
from explorer.browser import AXE, serious_violations
from explorer.conftest import serve
from pellucid.errors import UsageError
from pellucid.explain.lens import logit_lens
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.content import describe_layers
from pellucid.explorer.live import describe_live
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.long import describe_long_layers
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import respond

REQUEST = TextRequest("狗睡觉。", target="The dog sleeps. " * 36)
ASK = {"ask": "lens", "text": {"text": REQUEST.text, "target": REQUEST.target}}


@pytest.fixture(scope="module")
def model():
    return LiveModel(pellucid.load("zh-en", device="cpu").bundle, "zh-en")


@pytest.fixture(scope="module")
def lens(model):
    trace = trace_rows(model.bundle, model.read(REQUEST), TraceSpec())
    return logit_lens(model.bundle, trace, None, 3)


@pytest.fixture
def page(browser):
    page = browser.new_context(locale="en-US", reduced_motion="reduce").new_page()
    page.seen = []
    page.on("pageerror", lambda error: page.seen.append(str(error)))
    yield page
    page.context.close()
    assert not page.seen


def test_the_lens_is_that_of_the_whole_trace(model, lens):
    content = respond(model, {**ASK, "ask": "trace"})
    assert "lens" not in content
    reply = json.loads(json.dumps(respond(model, ASK)))["lens"]
    check(reply, [asdict(layer) for layer in lens])


def check(layers, expected):
    """What attention computes has other roundings where its weights are recorded."""
    both = [
        [
            candidate
            for layer in each
            for position in layer["positions"]
            for candidate in position["candidates"]
        ]
        for each in (layers, expected)
    ]
    ids, others = ([candidate["id"] for candidate in each] for each in both)
    np.testing.assert_array_equal(ids, others)
    shown, exact = ([candidate["probability"] for candidate in each] for each in both)
    np.testing.assert_allclose(shown, exact, rtol=1e-3)
    assert [len(layer["positions"]) for layer in layers] == [len(x["positions"]) for x in expected]


FEW = ("gpt-2", "bert, masked words", "bert, classes", "bert, answers", "rnn", "t5, no head")
OTHERS = [pytest.param(each, marks=pytest.mark.campaign) for each in MODELS if each not in FEW]


@pytest.mark.parametrize("name", [*FEW, *OTHERS])
def test_the_lens_of_a_family(name, tmp_path):
    """Where the whole trace has one."""
    shown = MODELS[name](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    options = dict(zip(shown.options[::2], shown.options[1::2], strict=True))
    head = options.get("--head")
    writing = Writing(None, options.get("--to", ""), options.get("--source-language", ""))
    rows = read_rows(bundle, shown.text, writing)
    trace = trace_rows(bundle, rows, TraceSpec(head=head))
    expected = describe_layers(bundle, trace, head) if trace.prediction else []
    if expected:
        check(describe_long_layers(bundle, rows, head), expected)
    else:
        with pytest.raises(UsageError, match="no layers after which"):
            describe_long_layers(bundle, rows, head)


def test_the_stop_asks_and_shows_a_window(page, model, lens):
    n = len(lens[0].positions)
    assert n > 140
    content = describe_live(model.bundle, "zh-en") | model.describe(REQUEST)
    with serve(content, partial(respond, model)) as server:
        page.goto(f"{server.address}#stop=lens&row=38")
        zone = page.get_by_role("region", name="Best output after each layer")
        zone.wait_for()
        figure = page.locator("main")
        assert f"Columns 1 to 40 of {n}" in figure.inner_text()
        assert zone.get_by_role("button").count() == 40 * len(lens)
        check_column(page, lens, 38)
        zone.focus()
        for _ in range(3):  # beyond the last column of the window
            page.keyboard.press("ArrowRight")
        assert f"Columns 3 to 42 of {n}" in figure.inner_text()
        check_column(page, lens, 41)
        page.locator(".map canvas").click(position={"x": 195, "y": 5})
        assert f"Columns {n - 39} to {n} of {n}" in figure.inner_text()
        check_column(page, lens, n - 20)
        page.keyboard.press("Tab")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for language in ("English", "中文"):
            page.get_by_role("button", name=language).click()
            assert not serious_violations(page)


def check_column(page, lens, column):
    """The chosen column is that of the last layer."""
    chosen = page.locator("main td button[aria-pressed=true]")
    best = lens[-1].positions[column].candidates[0]
    assert best.text.strip() in chosen.inner_text()
    assert chosen.get_attribute("title") == f"{best.probability:.2f}"
    assert f"row={column}" in page.url


def test_what_went_wrong_is_shown_and_asked_again(page, model):
    content = describe_live(model.bundle, "zh-en") | model.describe(REQUEST)

    def refuse(record):
        if record["ask"] == "lens" and not asked:
            asked.append(record)
            raise UsageError("no room for this lens.")
        return respond(model, record)

    asked = []
    with serve(content, refuse) as server:
        page.goto(f"{server.address}#stop=lens")
        page.get_by_role("alert").wait_for()
        assert page.get_by_role("alert").inner_text() == "no room for this lens."
        page.locator("nav.path a", has_text="Text becomes tokens").click()
        page.locator("nav.path a", has_text="Layer by layer").click()
        page.get_by_role("region", name="Best output after each layer").wait_for()
