"""The live page in a real browser.

Authority: Chromium, for what is asked and shown; the model called by Python, for the numbers;
axe-core, for accessibility (WCAG 2.2 AA).
"""

import math
import re
from functools import partial

import numpy as np
import pytest

import pellucid
from explorer.browser import AXE, serious_violations
from explorer.conftest import serve
from pellucid.explain.ablation import Switch, measure_group, switched_off
from pellucid.explain.attribution import Outputs, integrated_gradients
from pellucid.explain.patching import patch_runs, read_second
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.switches import position_switches
from pellucid.explorer.attribution import STEPS
from pellucid.explorer.live import describe_live
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.respond import respond

TEXT = "猫追狗。"


@pytest.fixture(scope="module")
def loaded():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture(scope="module")
def server():
    """A server with a model of its own: parts that it switches off are not off in `loaded`."""
    bundle = pellucid.load("zh-en", device="cpu").bundle
    model = LiveModel(bundle, "zh-en")
    with serve(describe_live(bundle, "zh-en"), partial(respond, model)) as server:
        yield server


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
        page.get_by_role("list", name="Output").get_by_role("button").first.click()
        title = page.locator("h1").inner_text()
        assert f"“{position.chosen.text.strip()}”" in title
        assert f"{position.chosen.probability:.2f}" in title
    assert not violations(page)
    page.locator("nav.path a", has_text="Why this output").click()
    rows = read_rows(loaded.bundle, text, Writing())
    (attribution,) = integrated_gradients(Outputs(loaded.bundle, rows, "lm", (0,)), STEPS)
    shares = sum(map(float, (*attribution.source, *attribution.target)))
    page.locator("h1", has_text=f"of the {shares:.3g} nats that all shares").wait_for()
    page.locator("nav.path a", has_text="What adds up").click()
    page.locator(".check", has_text=f"own logit: {position.chosen.score:.4f}").wait_for()


def test_settings_are_sent(page):
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("What it writes").fill("A dog sleeps.")
    read(page, TEXT)
    page.locator("nav.path a", has_text="Text becomes tokens").click()
    assert "sleeps" in page.locator("main").inner_text()


def test_parts_are_switched_off(page, loaded):
    read(page, TEXT)
    page.locator("nav.path a", has_text="Switch things off").click()
    rows = read_rows(loaded.bundle, TEXT, Writing())
    assert not violations(page)
    path = "decoder.layers.1.cross"
    page.get_by_label("Attention", exact=True).select_option(path)
    page.get_by_label("Head", exact=True).select_option("2")
    add = page.locator("main").get_by_role("button", name="Switch off", exact=True)
    add.click()
    check_title(page, loaded, measure_group(loaded.bundle, rows, [Switch(path, 2)]).effect)
    page.get_by_label("Kind of part").select_option("positions")
    add.click()
    group = [Switch(path, 2), *position_switches(loaded.bundle.model)]
    page.locator("h1", has_text="these 2 parts").wait_for()
    check_title(page, loaded, measure_group(loaded.bundle, rows, group).effect)
    page.locator(".line").nth(1).wait_for()
    with switched_off(loaded.bundle.model, [group]):
        text = read_rows(loaded.bundle, TEXT, Writing()).target.texts[0]
    written = page.locator(".line p").nth(1).inner_text()
    assert "".join(text.split()) in "".join(written.split())
    assert not violations(page)
    page.get_by_role("button", name="All on again").click()
    page.locator("h1", has_text="Which parts").wait_for()


def check_title(page, loaded, effect):
    """The title has the probability of the chosen output before and after."""
    page.locator("h1", has_text="Without").wait_for()
    row = int(re.search(r"row=(\d+)", page.url)[1]) if "row=" in page.url else 0
    before = loaded.trace(TEXT).prediction.positions[row].chosen.probability
    after = before * math.exp(effect.log_probs[row])
    assert f"{after:.2f}" in page.locator("h1").inner_text()


def test_the_search_and_the_order_are_asked_for(page, loaded):
    read(page, TEXT)
    page.locator("nav.path a", has_text="The search").click()
    page.locator("h1", has_text="has the best score").wait_for()
    best = loaded.translate([TEXT])[0].text
    assert f"“{best}” has" in page.locator("h1").inner_text()
    page.get_by_label("Texts kept").select_option("2")
    page.locator("aside", has_text="The 2 most probable").wait_for()
    dropped = page.locator(".tree button.pruned").first
    dropped.click()
    name = dropped.inner_text()
    assert "2 others were more probable" in page.locator("h1").inner_text()
    page.get_by_role("button", name="Go on from this text").click()
    page.locator("h1", has_text="is the best text that begins as you chose").wait_for()
    assert f"“{name}" in page.locator("h1").inner_text()
    assert page.locator(".tree button.forced").all_inner_texts() == [name]
    (free,) = loaded.translate([TEXT], beam=2)
    assert f"the search chose “{free.text}”" in page.locator("aside").inner_text()
    assert not violations(page)
    page.get_by_role("button", name="Let the model choose again").click()
    page.locator("h1", has_text="has the best score").wait_for()
    page.locator("nav.path a", has_text="Why positions").click()
    page.locator("aside p", has_text="order “。 狗").wait_for()
    page.get_by_label("The same words").fill("狗睡觉。")
    page.get_by_role("button", name="Compare").click()
    assert "have different tokens" in page.get_by_role("alert").inner_text()
    page.get_by_label("The same words").fill("狗追猫。")
    page.get_by_role("button", name="Compare").click()
    page.locator("aside p", has_text="order “狗").wait_for()
    assert page.get_by_role("alert").count() == 0
    assert not violations(page)


def test_states_are_exchanged(page, loaded):
    first, second = "我爱猫。", "我爱花。"
    read(page, first)
    page.locator("nav.path a", has_text="Exchange states").click()
    exchange = page.get_by_role("button", name="Exchange the states")
    exchange.click()
    assert "both texts are the same" in page.get_by_role("alert").inner_text()
    page.get_by_label("A second text").fill(second)
    exchange.click()
    page.locator("h1", has_text="brings back").wait_for()
    rows = read_rows(loaded.bundle, first, Writing())
    other = read_second(loaded.bundle, rows, (first, second), Writing())
    patches = patch_runs(loaded.bundle, rows, other)
    (position,) = np.flatnonzero(patches.answers[0] != patches.answers[1])
    answers = loaded.bundle.tokenizers.target.display(patches.answers[:, position].tolist())
    chips = page.get_by_role("list", name="Answers that differ").get_by_role("button")
    assert chips.all_inner_texts() == [" → ".join(answer.strip() for answer in answers)]
    for button, shares in (("Vectors", patches.states), ("Heads", patches.heads)):
        page.get_by_role("button", name=button).click()
        page.locator("figure summary").last.click()
        row = page.locator("figure").last.locator("tbody tr").last  # the first layer, or before it
        row.wait_for()
        shown = [float(x.replace("−", "-")) for x in row.locator("td").all_inner_texts()]
        expected = next(iter(shares.values()))[:, position]
        assert shown == pytest.approx(expected.tolist(), abs=1e-3)
    assert not violations(page)


def test_every_part_is_measured_when_asked(page, loaded):
    read(page, TEXT)
    page.locator("nav.path a", has_text="Switch things off").click()
    page.get_by_role("button", name="Measure every head").click()
    page.locator("h1", has_text="Without").wait_for()
    assert page.get_by_role("application").count() == 4  # three attentions, and sublayers


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
