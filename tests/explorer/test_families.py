"""The page of models of every shape, in a browser.

Authority: Chromium, for what runs and what the keyboard reaches; axe-core, for accessibility; the
prediction of the model, from Python, for what the page says.
"""

import re
from contextlib import nullcontext

import pytest

import pellucid
from explain.zoo import MODELS
from explorer.browser import AXE, difference, serious_violations
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.request import TextRequest

NO_WORDS = re.compile(r"\b(NaN|undefined|Infinity|null)\b|\[object|“”")
LANGUAGES = ("English", "中文")
MESSAGES = AXE.parents[2] / "src" / "text" / "en.ts"
WIDTH = 1280


def content_of(name, directory):
    shown = MODELS[name](directory)
    model = LiveModel(pellucid.load(shown.directory, device="cpu").bundle, name)
    settings = dict(zip(shown.options[::2], shown.options[1::2], strict=True))
    named = {key.strip("-").replace("-", "_"): value for key, value in settings.items()}
    return model.describe_all(TextRequest(text=shown.text, **named), lambda *_: nullcontext())


def test_a_decoder_that_writes_no_text_has_no_search(tmp_path):
    content = content_of("bart, classes", tmp_path)
    assert content["trace"]["target"] is not None
    assert content["search"] is None


def walk(page, language, check):
    """Visit all stops in a language; return the titles by stop."""
    page.get_by_role("button", name=language).click()
    titles = {}
    links = page.locator("nav.path a")
    for i in range(links.count()):
        links.nth(i).click()
        titles[links.nth(i).inner_text()] = page.locator("h1").inner_text()
        check(page)
    return titles


def check_words(page):
    assert not NO_WORDS.search(page.inner_text("body"))
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


def check_access(page):
    serious = serious_violations(page)
    assert not serious, (page.url, serious)


def check_everything(page):
    check_words(page)
    check_access(page)


def walk_everything(name, show, tmp_path, check=check_words):
    """Walk all stops in both languages; return the titles in English, and the content."""
    content = content_of(name, tmp_path)
    page = show(content, viewport={"width": WIDTH, "height": 800}, reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    english, chinese = (walk(page, language, check) for language in LANGUAGES)
    assert page.seen == []
    assert len(chinese) == len(english)
    assert all(re.search("[\u4e00-\u9fff]", title) for title in chinese.values())
    return english, content["trace"]


def best_of(trace, position=0):
    position = trace["prediction"]["positions"][position]
    return (position["chosen"] or position["candidates"][0])["text"].strip()


def test_a_tagger_with_a_crf(show, tmp_path):
    titles, trace = walk_everything("transformer, crf", show, tmp_path)
    words = trace["prediction"]["words"]
    middle = len(trace["source"]["tokens"]) // 2
    text = f"is “{best_of(trace, middle)}”" if middle in words else "continues a word"
    assert text in titles["The labels"]


def test_an_answer_is_a_span_of_the_second_text(show, tmp_path):
    titles, trace = walk_everything("bert, answers", show, tmp_path)
    tokens = trace["source"]["tokens"]
    chances = [
        {c["id"]: c["probability"] for c in position["candidates"]}
        for position in trace["prediction"]["positions"]
    ]
    context = [i for i, token in enumerate(tokens) if token["segment"] and token["bytes"]]
    pairs = [(chances[a][0] * chances[b][1], a, b) for a in context for b in context if a <= b]
    _, first, last = max(pairs)
    names = [tokens[i]["display"].strip() for i in (first, last)]
    assert titles["The labels"] == f"The answer goes from “{names[0]}” to “{names[1]}”."


def test_a_decoder_with_distances(show, tmp_path):
    """The page adds the distances to the scores, none to the vectors; the memory is no text."""
    content = content_of("transformer-xl", tmp_path)
    page = show(content)
    for stop, bound in (("scale", 0.01), ("softmax", 2e-3)):  # of float16
        page.locator(f'nav.path a[href="#stop={stop}"]').click()
        assert difference(page) < bound
    page.locator('nav.path a[href="#stop=vectors"]').click()
    assert page.locator("h1").inner_text().endswith("numbers: its own vector.")
    page.locator('nav.path a[href="#stop=softmax"]').click()
    page.locator("figure summary").click()
    page.locator("table thead th").first.wait_for()
    heads = page.locator("table thead th").all_inner_texts()
    names = [token["piece"] for token in content["trace"]["target"]["tokens"]]
    assert [name.strip() for name in heads if name.strip()][-len(names) :] == names
    assert page.seen == []


def missing_stops(page):
    """What the page has no stop for, by title, with the reason."""
    page.locator("nav.path summary").click()
    reasons = {}
    for row in page.locator("nav.path dl > div").all():
        reason = row.locator("dd").inner_text()
        reasons |= dict.fromkeys(row.locator("dt").inner_text().split(" · "), reason)
    return reasons


@pytest.mark.parametrize(
    ("name", "language", "reasons"),
    [
        (
            "bert, masked words",
            "中文",
            {
                "Cross-attention": "no decoder",
                "The search": "writes no text",
                "The labels": "tokens",
            },
        ),
        (
            "gpt-2",
            "English",
            {"Cross-attention": "no encoder", "Fill the gap": "from left to right"},
        ),
    ],
)
def test_encoders_and_decoders_are_accessible(name, language, reasons, show, tmp_path):
    """In one language each; the campaign has every family in both."""
    page = show(content_of(name, tmp_path), reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    missing = missing_stops(page)
    shown = page.locator("nav.path a").all_inner_texts()
    titles = re.findall(r'^  stop_(?!compare)\w+: "(.*)",$', MESSAGES.read_text("utf-8"), re.M)
    assert sorted([*shown, *missing]) == sorted(titles)
    assert all(words in missing[stop] for stop, words in reasons.items())
    walk(page, language, check_access)
    assert page.seen == []


def test_the_keyboard_reaches_every_stop(show, tmp_path):
    page = show(content_of("marian", tmp_path))
    links = page.locator("nav.path a")
    visited = []
    for _ in range(200):
        page.keyboard.press("Tab")
        place = page.evaluate("document.activeElement.closest('nav.path a')?.textContent ?? ''")
        if place:
            page.keyboard.press("Enter")
            visited.append(place)
            assert page.locator("nav.path a[aria-current]").inner_text() == place
        if len(visited) == links.count():
            break
    assert visited == links.all_inner_texts()


@pytest.mark.campaign
@pytest.mark.parametrize("name", MODELS)
def test_every_family(name, show, tmp_path):
    walk_everything(name, show, tmp_path, check_everything)
