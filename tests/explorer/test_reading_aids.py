"""Definitions of terms, and figures and alignments as files.

Authority: NumPy for what the files hold; the PNG signature; Chromium; axe-core.
"""

import struct

import numpy as np
import pytest

import pellucid
from explorer.browser import AXE, serious_violations
from pellucid.explorer.content import describe_trace

TEXT = "我爱你"


@pytest.fixture(scope="module")
def trace():
    return pellucid.load("zh-en", device="cpu").trace(TEXT)


@pytest.fixture(scope="module")
def content(trace):
    return describe_trace(pellucid.load("zh-en", device="cpu").bundle, trace, "zh-en")


@pytest.mark.parametrize(
    ("language", "word", "definition"),
    [
        ("English", "Softmax", "Turns any numbers into positive ones that add up to 1"),
        ("中文", "分数", None),
        ("中文", "熵", "分布有多拿不定"),
    ],
)
def test_a_term_explains_itself(show, content, language, word, definition):
    page = show(content, fragment="#stop=softmax", viewport={"width": 360, "height": 800})
    page.get_by_role("button", name=language).click()
    terms = page.locator("aside p").get_by_role("button", name=word, exact=True)
    if definition is None:
        assert terms.count() == 0
        return
    assert terms.count() == 1  # explained once in a reading
    terms.focus()
    tooltip = page.get_by_role("tooltip")
    assert definition in tooltip.inner_text()
    assert terms.get_attribute("aria-describedby") == tooltip.get_attribute("id")
    box = tooltip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert not serious_violations(page)
    page.keyboard.press("Escape")
    assert tooltip.count() == 0


def test_a_figure_is_saved_as_png(show, content):
    page = show(content, fragment="#stop=softmax")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as PNG").first.click()
    png = waiting.value.path().read_bytes()
    assert waiting.value.suggested_filename == "Weights-softmax-of-each-row.png"
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    canvas = page.locator("figure canvas").first
    assert width == canvas.evaluate("c => c.width + 32")
    assert height == canvas.evaluate("c => c.height + 32")
    assert page.seen == []


def test_an_alignment_is_saved_as_links_and_as_a_table(show, content, trace):
    page = show(content, fragment="#stop=alignment&attention=decoder.layers.1.cross")
    weights = trace["decoder.layers.1.cross.weights"].mean(0)  # (T, S)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Pharaoh").click()
    links = waiting.value.path().read_text(encoding="utf-8").split()
    assert links == [f"{source}-{i}" for i, source in enumerate(weights.argmax(1))]
    with page.expect_download() as waiting:
        page.get_by_role("button", name="TSV").click()
    lines = waiting.value.path().read_text(encoding="utf-8").removesuffix("\n").split("\n")
    table = [line.split("\t") for line in lines]
    assert table[0][1:] == [token.display or token.piece for token in trace.source.tokens]
    numbers = np.array([row[1:] for row in table[1:]], dtype=float)
    np.testing.assert_allclose(numbers, weights, atol=2e-3)
