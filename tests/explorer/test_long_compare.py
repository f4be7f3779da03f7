"""Comparisons of long texts, whose arrays the page asks for.

Authority: NumPy in float64 over the whole traces; Chromium, for what the page shows.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import pellucid
from explorer.browser import AXE, serious_violations
from explorer.conftest import serve
from explorer.test_compare import distances, read_distances
from pellucid.explain.encode import decode_array
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.compare import ComparedModels, respond_compared
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.request import TextRequest

TEXTS = ("猫" + "狗" * 135, "猫" * 2 + "狗" * 134)
TARGET = "The dog sleeps. " * 36
PATH, HEAD = "encoder.layers.1.attention", 2
ROUNDING = 2e-3  # of float16


@pytest.fixture(scope="module")
def models():
    model = LiveModel(pellucid.load("zh-en", device="cpu").bundle, "zh-en")
    return ComparedModels(model, replace(model))


@pytest.fixture(scope="module")
def requests():
    return [TextRequest(text, TARGET) for text in TEXTS]


@pytest.fixture(scope="module")
def traces(models, requests):
    both = zip((models.first, models.second), requests, strict=True)
    return [trace_rows(model.bundle, model.read(request), TraceSpec()) for model, request in both]


@pytest.fixture
def page(browser, models, requests):
    content = models.describe_live() | models.describe(*requests)
    page = browser.new_context(locale="en-US", reduced_motion="reduce").new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with serve(content, partial(respond_compared, models)) as server:
        page.address = server.address
        yield page
    page.context.close()
    assert not errors


def test_both_traces_are_shapes(models, traces):
    texts = [{"text": text, "target": TARGET} for text in TEXTS]
    content = respond_compared(models, {"ask": "compare", "first": texts[0], "second": texts[1]})
    for number, (each, trace) in enumerate(zip((content, content["second"]), traces, strict=True)):
        arrays = each["trace"]["arrays"]
        assert {name: array["shape"] for name, array in arrays.items()} == {
            name: list(array.shape) for name, array in trace.arrays.items()
        }
        assert sum("data" in array for array in arrays.values()) == 1  # what the map shows
        record = {"ask": "arrays", "model": number, "text": texts[number]}
        (array,) = respond_compared(models, {**record, "names": ["encoder.output"]})[
            "arrays"
        ].values()
        np.testing.assert_allclose(
            decode_array(array), trace["encoder.output"], rtol=1e-3, atol=1e-3
        )


def test_a_short_text_beside_a_long_one_is_whole(models):
    content = models.describe(TextRequest(TEXTS[0], "The dog."), TextRequest("猫", "The dog."))
    assert "sizes" in content["trace"]
    arrays = content["second"]["trace"]["arrays"].values()
    assert all("data" in array for array in arrays)


def test_the_outputs(page, traces):
    page.goto(page.address)
    page.locator("tbody tr").first.wait_for()
    assert page.locator("nav.path a[aria-current]").inner_text() == "Two side by side"
    first, second = (trace["heads.lm.logits"].astype(np.float64) for trace in traces)
    p, q = (x - np.logaddexp.reduce(x, -1, keepdims=True) for x in (first, second))
    expected = (np.exp(p) * (p - q)).sum(-1)
    shown = page.locator("tbody tr td.divergence").all_inner_texts()
    assert len(shown) == len(expected) > 140
    values = [0.0 if each[0] in "<>" else float(each) for each in shown]  # too small for decimals
    np.testing.assert_allclose(values, expected, atol=0.011)


def test_the_attention(page, traces):
    page.goto(f"{page.address}#stop=compare&attention={PATH}&head={HEAD}")
    page.get_by_role("button", name="Attention", exact=True).click()
    page.locator(".map canvas").first.wait_for()
    a, b = (trace[f"{PATH}.weights"][HEAD] for trace in traces)
    at = np.unravel_index(np.abs(b - a).argmax(), a.shape)
    title = page.locator("h1").inner_text()
    assert f"{a[at]:.2f} of its attention in A, and {b[at]:.2f} in B" in title
    assert f"{len(a)} × {len(a)}" in page.locator("main").inner_text()
    check_access(page)


def test_the_states(page, traces):
    page.goto(page.address)
    page.get_by_role("button", name="Parts and states").click()
    page.locator(".map canvas").first.wait_for()
    shown = read_distances(page)
    column = int(page.locator(".map .note").first.inner_text().split("Columns ")[1].split()[0]) - 1
    assert len(shown) == 40
    expected = distances(*traces)[column : column + 40]
    assert shown == pytest.approx(expected.tolist(), abs=ROUNDING)
    check_access(page)


def check_access(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for language in ("中文", "English"):
        page.get_by_role("button", name=language).click()
        assert not serious_violations(page)


@pytest.mark.parametrize("letter", ["A", "B"])
def test_every_stop_of_both_traces(page, letter):
    page.goto(page.address)
    page.get_by_role("button", name=f"{letter} 猫").click()
    links = page.locator('nav.path a:not([href*="patch"])')  # which takes a minute
    for i in range(links.count()):
        links.nth(i).click()
        page.locator(".fetching").wait_for(state="detached")
        assert page.locator("h1").inner_text()
        assert page.get_by_role("alert").count() == 0
    page.locator("nav.path summary").click()
    reasons = page.locator("nav.path dl").inner_text()
    assert "Why this output" in reasons
    assert "only computed for short texts" in reasons
