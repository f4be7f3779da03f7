"""The page in a real browser.

Authority: Chromium, for what runs and what is requested; axe-core, for accessibility (WCAG 2.2 AA);
the trace in NumPy, for what the page computes again.
"""

import copy
import json
import math

import pytest

import pellucid
from explorer.browser import AXE, difference, serious_violations
from pellucid.explain.ablation import Switch, measure_group
from pellucid.explain.encode import encode
from pellucid.explain.rows import Writing, read_rows
from pellucid.explorer.compact import encode_compact
from pellucid.explorer.content import describe_effects, describe_layers, describe_trace
from pellucid.explorer.stream import describe_stream

TEXT = "我喜欢这个美丽花园"
LANGUAGES = ("English", "中文")
ROUNDING = 2e-3  # of float16, in weights and probabilities


@pytest.fixture(scope="module")
def content():
    model = pellucid.load("zh-en", device="cpu")
    rows = read_rows(model.bundle, TEXT, Writing())
    described = describe_trace(model.bundle, model.trace(TEXT), "zh-en")
    return {
        **described,
        "effects": describe_effects(model.bundle, rows, None),
        "lens": describe_layers(model.bundle, model.trace(TEXT), None),
        "stream": describe_stream(model.bundle, rows, None),
    }


def stops(page):
    return page.locator("nav.path a")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_stop_works_without_requests_and_is_accessible(show, content, language):
    page = show(content, reduced_motion="reduce")  # a text that fades in has little contrast
    page.get_by_role("button", name=language).click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    titles = set()
    for i in range(stops(page).count()):
        stops(page).nth(i).click()
        titles.add(page.locator("h1").inner_text())
        serious = serious_violations(page)
        assert not serious, (titles, serious)
    assert len(titles) == stops(page).count() >= 17
    assert page.seen == []


@pytest.mark.parametrize(("width", "theme"), [(360, "light"), (1280, "dark"), (1920, "light")])
def test_nothing_is_wider_than_the_window(show, content, width, theme):
    page = show(content, viewport={"width": width, "height": 800}, color_scheme=theme)
    for i in range(stops(page).count()):
        stops(page).nth(i).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.seen == []


def test_softmax_of_the_page_is_that_of_the_model(show, content):
    page = show(content)
    page.locator("nav.path a", has_text="Softmax").click()
    paths = page.locator("select option")
    for i in range(paths.count()):
        page.locator("select").select_option(index=i)
        assert difference(page) < ROUNDING
    page.locator("nav.path a", has_text="The next word").click()
    assert difference(page) < ROUNDING


def test_a_compact_page_computes_the_same(show, content):
    """Weights and probabilities from stored scores and logits; contexts from weights and values."""
    trace = pellucid.load("zh-en", device="cpu").trace(TEXT)
    page = show({**content, "trace": encode_compact(trace)})
    for stop in ("Softmax", "The next word"):
        page.locator("nav.path a", has_text=stop).click()
        assert difference(page) < ROUNDING
    page.locator("nav.path a", has_text="Add and norm").click()
    assert page.locator("main canvas").count() > 4
    assert "To keep the page small" in page.locator("footer").inner_text()
    assert page.seen == []


def test_a_wrong_weight_is_reported(show, content):
    """The printed difference is computed, not written."""
    model = pellucid.load("zh-en", device="cpu")
    trace = model.trace(TEXT)
    name = "encoder.layers.0.attention.weights"
    trace.arrays[name][0, 2, 3] += 0.25  # pyright: ignore[reportIndexIssue]
    page = show({**content, "trace": encode(trace)})
    page.locator("nav.path a", has_text="Softmax").click()
    assert difference(page) == pytest.approx(0.25, abs=ROUNDING)


def test_a_figure_works_with_the_keyboard(show, content):
    page = show(content, fragment="#stop=softmax&row=0")
    page.get_by_role("application").focus()
    weights = pellucid.load("zh-en", device="cpu").trace(TEXT)["encoder.layers.0.attention.weights"]
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator("[aria-live]").inner_text().endswith(f": {weights[0, 2, 1]:.3f}")
    page.locator("figure summary").click()
    row = page.locator("table tbody tr").nth(2)
    row.wait_for()  # the table is made when it is opened
    cells = row.locator("td").all_inner_texts()
    assert [float(cell) for cell in cells] == pytest.approx(weights[0, 2].tolist(), abs=ROUNDING)


def test_hostile_tokens_and_names_stay_text(show, content):
    payload = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    hostile = copy.deepcopy(content)
    hostile["name"] = payload
    for side in ("source", "target"):
        text = hostile["trace"][side]
        text.update(texts=[payload], normalized=[payload])
        for token in text["tokens"]:
            token.update(piece=payload, display=payload)
    for position in hostile["trace"]["prediction"]["positions"]:
        for candidate in (*position["candidates"], position["chosen"]):
            candidate["text"] = payload
    page = show(hostile)
    for i in range(stops(page).count()):
        stops(page).nth(i).click()
        assert payload in page.inner_text("body")
    assert page.seen == []
    assert page.locator("img").count() == 0


def test_data_that_cannot_be_read_is_an_error_in_words(show, content):
    broken = json.loads(json.dumps(content))
    next(iter(broken["trace"]["arrays"].values()))["data"] = "AAAA"
    page = show(broken)
    assert page.locator("h1").inner_text() == "This page cannot be shown"


def test_the_first_answers_are_those_of_the_model(show, content):
    model = pellucid.load("zh-en", device="cpu")
    trace = model.trace(TEXT)
    position = trace.prediction.positions[2]
    heads = [each for each in content["effects"] if each["head"] is not None]
    changes = {(each["path"], each["head"]): each["log_probs"][2] for each in heads}
    path, head = min(changes, key=changes.__getitem__)
    page = show(content, fragment="#stop=map&row=2")
    answers = page.locator("main section li")
    looked, sure, without = answers.all_inner_texts()
    weights = trace[f"{trace.attentions[-1]}.weights"][:, 2].mean(0)
    assert trace.attentions[-1].endswith(".cross")
    assert float(looked.split(": ")[1][:4]) == pytest.approx(weights.max(), abs=7e-3)
    assert f"the probability {position.chosen.probability:.2f}" in sure
    after = position.chosen.probability * math.exp(changes[path, head])
    assert f"from {position.chosen.probability:.2f} to {after:.2f}" in without
    answers.last.get_by_role("link").click()
    title = page.locator("h1").inner_text()
    assert f"from {position.chosen.probability:.2f} to {after:.2f}" in title
    assert position.chosen.text.strip() in title
    rows = read_rows(model.bundle, TEXT, Writing())
    changed = measure_group(model.bundle, rows, [Switch(path, head)]).prediction.positions[2]
    still = "still " if changed.candidates[0].id == position.candidates[0].id else "then "
    reading = page.locator("aside.reading").inner_text()
    assert f"Most probable here is {still}“{changed.candidates[0].text.strip()}”" in reading


def test_the_answers_are_those_of_the_word_that_is_chosen(show, content):
    """The words stand in the first window, and choosing one moves nothing below the answers."""
    page = show(content, viewport={"width": 1280, "height": 900})
    section = page.locator("main section")
    words = section.get_by_role("group", name="Target text").get_by_role("button")
    positions = content["trace"]["prediction"]["positions"]
    assert words.count() == len(positions)
    tops = set()
    for i, position in enumerate(positions):
        assert words.nth(i).bounding_box()["y"] < 300
        words.nth(i).click()
        probability = f"the probability {position['chosen']['probability']:.2f}"
        assert probability in section.get_by_role("listitem").nth(1).inner_text()
        tops.add(page.locator("main svg").first.bounding_box()["y"])
    assert len(tops) == 1
    effects = [each for each in content["effects"] if each["head"] is not None]
    last = [each for each in effects if each["path"] == "decoder.layers.1.cross"]
    head = min(last, key=lambda each: each["log_probs"][-1])["head"]
    section.get_by_role("link", name="See how").first.click()
    page.get_by_label("mean of all heads").uncheck()
    assert page.get_by_role("button", name=f"Head {head + 1}", pressed=True).count() == 1
    page.locator("nav.path a", has_text="The next word").click()
    for i, position in enumerate(positions):
        word = position["chosen"]["text"].strip()
        chip = page.get_by_role("list", name="Output").get_by_role("button").nth(i)
        assert chip.inner_text() == word
        chip.click()
        assert f"“{word}”" in page.locator("h1").inner_text()
