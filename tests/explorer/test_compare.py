"""Two traces on one page.

Authority: NumPy in float64 over the two traces; the pairs of tokens by hand; Chromium and axe-core.
"""

import numpy as np
import pytest

import pellucid
from explorer.browser import AXE, serious_violations
from pellucid.cli.main import main
from pellucid.explorer.compare import describe_comparison, name_apart
from pellucid.explorer.content import describe_trace

TEXTS = ("猫追狗", "狗追猫")
ROUNDING = 2e-3  # of float16


@pytest.fixture(scope="module")
def traces():
    model = pellucid.load("zh-en", device="cpu")
    return [model.trace(text) for text in TEXTS]


@pytest.fixture(scope="module")
def content(traces):
    bundle = pellucid.load("zh-en", device="cpu").bundle
    contents = [describe_trace(bundle, trace, "zh-en") for trace in traces]
    return describe_comparison(contents, (bundle, bundle), "texts")


def choose(page, name):
    page.locator(".switch button", has_text=name).click()


def test_divergence_of_the_outputs(show, content, traces):
    page = show(content)
    assert page.locator("nav.path a[aria-current]").inner_text() == "Two side by side"
    logits = [trace["heads.lm.logits"][1].astype(np.float64) for trace in traces]
    p, q = (np.exp(x - np.logaddexp.reduce(x)) for x in logits)
    page.locator("tbody button").nth(1).click()  # both read "The"
    shown = page.locator("tbody tr").nth(1).locator("td").last.inner_text()
    assert float(shown) == pytest.approx(np.sum(p * np.log(p / q)), abs=0.01)
    words = [trace.prediction.positions[1].chosen.text.strip() for trace in traces]
    assert words[0] != words[1]
    assert [f"“{word}”" in page.locator("h1").inner_text() for word in words] == [True, True]


def test_difference_of_the_weights(show, content, traces):
    page = show(content, fragment="#stop=compare&attention=encoder.layers.1.attention&head=2")
    choose(page, "Attention")
    first, second = (trace["encoder.layers.1.attention.weights"][2] for trace in traces)
    assert first.shape == second.shape
    page.locator("figure summary").first.click()
    row = page.locator("figure table").first.locator("tbody tr").nth(2)
    row.wait_for()
    shown = [float(x.replace("−", "-")) for x in row.locator("td").all_inner_texts()]
    assert shown == pytest.approx((second - first)[2].tolist(), abs=ROUNDING)
    at = np.unravel_index(np.abs(second - first).argmax(), first.shape)
    title = page.locator("h1").inner_text()
    assert f"{first[at]:.2f} of its attention in A, and {second[at]:.2f} in B" in title


def distances(first, second):
    """1 - cosine of each token's states after the first sublayer, in float64."""
    name = "encoder.layers.0.attention.output"
    x, y = first[name].astype(np.float64), second[name].astype(np.float64)
    return 1 - (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def read_distances(page):
    """What the tab of states shows for that sublayer."""
    page.locator("figure summary").first.click()
    row = page.locator("figure table").first.locator("tbody tr").nth(-2)  # above the embedding
    row.wait_for()
    return [float(each) for each in row.locator("td").all_inner_texts()]


def test_states_of_paired_tokens(show, content, traces):
    page = show(content)
    choose(page, "Parts and states")
    assert read_distances(page) == pytest.approx(distances(*traces).tolist(), abs=ROUNDING)
    sizes = [np.sqrt(np.mean(trace["decoder.layers.1.cross.added"] ** 2)) for trace in traces]
    bars = page.get_by_role("table", name="What each part of the decoder adds")
    cells = bars.get_by_role("row", name="Layer 2, cross-attention").locator("td").all_inner_texts()
    assert cells[1:3] == [f"{size:.2f}" for size in sizes]


def test_tabs_and_both_traces_are_accessible(show, content):
    page = show(content, reduced_motion="reduce", viewport={"width": 360, "height": 800})
    page.evaluate(AXE.read_text(encoding="utf-8"))
    tabs = page.locator(".switch button")
    for language in ("English", "中文"):
        page.get_by_role("button", name=language).click()
        for i in range(tabs.count()):
            tabs.nth(i).click()
            assert not serious_violations(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name=f"B {TEXTS[1]}").click()
    assert page.locator("header .text").inner_text() == TEXTS[1]
    assert page.seen == []


def test_outputs_over_two_vocabularies_have_no_divergence(show, traces):
    bundles = [pellucid.load(name, device="cpu").bundle for name in ("zh-en", "en-de")]
    other = pellucid.load("en-de", device="cpu").trace("The dog sleeps.")
    contents = [
        describe_trace(bundle, trace, bundle.family)
        for bundle, trace in zip(bundles, (traces[0], other), strict=True)
    ]
    content = describe_comparison(contents, bundles, "models")
    page = show(content)
    assert page.locator("tbody tr").first.locator("td").last.inner_text() == "–"
    assert "no divergence" in page.locator("aside").inner_text()
    choose(page, "Parts and states")
    assert "no common meaning" in page.locator("aside").inner_text()


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("en-de", "zh-en", ("en-de", "zh-en")),
        ("runs/a/final", "runs/b/final", ("a/final", "b/final")),
        ("final", "runs/final", ("final", "runs/final")),
        ("en-de", "en-de", ("en-de", "en-de")),
    ],
)
def test_names_of_two_models(first, second, names):
    assert name_apart(first, second) == names


def test_a_second_model_and_a_second_text_is_an_error(capsys, tmp_path):
    arguments = ["explore", "en-de", "zh-en", "--text", "A dog.", "--second-text", "A cat."]
    assert main([*arguments, "--html", str(tmp_path / "x.html")]) == 2
    assert "Use one" in capsys.readouterr().err
