"""The views of the beam search and of positions.

Authority: the search's own log and NumPy, for the numbers; the keyboard of Chromium; axe-core.
"""

import numpy as np
import pytest

from explorer.browser import AXE, serious_violations
from pellucid.explain.beams import log_beams
from pellucid.explain.rows import Writing, read_rows
from pellucid.explorer.content import describe_trace
from pellucid.explorer.order import describe_order
from pellucid.explorer.search import describe_search

TEXT = "猫追狗"


@pytest.fixture(scope="module")
def content(zh_en):
    rows = read_rows(zh_en.bundle, TEXT, Writing())
    return {
        **describe_trace(zh_en.bundle, zh_en.trace(TEXT), "zh-en"),
        "search": describe_search(zh_en.bundle, rows, Writing()),
        "order": describe_order(zh_en.bundle, rows),
    }


def test_the_tree_shows_what_the_search_logged(show, content, zh_en):
    nodes = log_beams(zh_en.bundle, zh_en.ids(TEXT))
    page = show(content, fragment="#stop=search", reduced_motion="reduce")
    buttons = page.locator(".tree button")
    assert buttons.count() == len(nodes)
    best = max(i for i, node in enumerate(nodes) if node.is_best)
    text = zh_en.translate([TEXT])[0].text
    assert page.locator("h1").inner_text().startswith(f"“{text}” has the best score of all: −0")
    assert page.locator("button[tabindex='0'][aria-pressed]").count() == 1
    buttons.nth(best).focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    assert buttons.nth(nodes[best].parent).get_attribute("aria-pressed") == "true"
    # The most probable of those that were dropped at the first step.
    dropped = next(i for i, node in enumerate(nodes) if node.status == "pruned")
    buttons.nth(dropped).click()
    worst = min(n.log_prob for n in nodes if n.status == "kept" and n.step == 0)
    gap = worst - nodes[dropped].log_prob
    assert "was dropped" in page.locator("h1").inner_text()
    assert f"{gap:.3g} nats behind" in page.locator("aside").inner_text()
    page.locator("summary", has_text="As a table").click()
    page.locator("tbody tr").nth(len(nodes) - 1).wait_for()
    scores = page.locator("tbody tr td:nth-child(4)").all_inner_texts()
    shown = [float(score.replace("−", "-")) for score in scores]
    assert shown == pytest.approx([node.score for node in nodes], abs=5e-4)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert not serious_violations(page)


def test_a_forced_text_has_no_search(zh_en):
    writing = Writing(target="The dog sleeps.")
    rows = read_rows(zh_en.bundle, TEXT, writing)
    assert describe_search(zh_en.bundle, rows, writing) is None


def test_positions_on_and_off(show, content):
    page = show(content, fragment="#stop=order", reduced_motion="reduce")
    assert "狗 ⟨E8 BF⟩ ⟨BD⟩ 猫" in page.locator("aside").inner_text()
    assert "is 0" in page.locator("h1").inner_text()
    page.get_by_role("button", name="without positions").click()
    assert "gives the same states" in page.locator("h1").inner_text()
    page.locator("figure summary").click()
    page.locator("tbody tr").first.wait_for()
    assert set(page.locator("tbody td").all_inner_texts()) == {"0.000"}
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert not serious_violations(page)


def test_products_of_position_vectors(show, content, zh_en):
    page = show(content, fragment="#stop=vectors")
    vectors = zh_en.trace(TEXT)["encoder.embedding.position_vectors"]
    page.locator("figure summary").last.click()
    row = page.locator("tbody tr").nth(1)
    row.wait_for()
    shown = [float(x) for x in row.locator("td").all_inner_texts()]
    assert shown == pytest.approx((vectors @ vectors[1]).tolist(), rel=1e-3)
    # Of sines and cosines of one angle each, the product depends on the distance alone.
    products = vectors @ vectors.T
    assert np.diag(products, 1) == pytest.approx(products[0, 1], rel=1e-4)
