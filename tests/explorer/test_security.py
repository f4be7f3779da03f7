"""Texts that try to become code, where a page shows them: tokens, labels and the model's name.

Authority: Chromium. A payload that runs calls `ran` or opens a dialog; one that the page's policy
stops, or that loads something, leaves a message.
"""

import copy
from itertools import product

import pytest

from explorer.test_families import content_of

BREAKS = (
    "",
    "</script>",
    "</SCRIPT >",
    "-->",
    "<!--<script>",
    "]]>",
    "\"'`>",
    "</title>",
    "</textarea></style>",
    "\\u003c/script>",
)
CODE = (
    "<script>ran()</script>",
    "<img src=x onerror=ran()>",
    "<svg onload=ran()>",
    "<svg><script>ran()</script></svg>",
    "<iframe srcdoc='<script>parent.ran()</script>'></iframe>",
    "<iframe src=javascript:parent.ran()></iframe>",
    "<details open ontoggle=ran()>",
    "<input autofocus onfocus=ran()>",
    "<a href=javascript:ran() id=x>x</a>",
    "<math><mtext><style><img src=x onerror=ran()></style></mtext></math>",
    "<template><script>ran()</script></template>",
    "<object data=javascript:ran()></object>",
    "<meta http-equiv=refresh content='0;url=javascript:ran()'>",
    "<base href=javascript:ran()//>",
    "<link rel=stylesheet href=data:text/css,*{}>",
    "<style>@import 'https://example.org/x.css';</style>",
    "{@html '<img src=x onerror=ran()>'}",
    "${ran()}{{ran()}}",
    "\u2028ran()\u2029",
    "&lt;img src=x onerror=ran()&gt;",
)
PAYLOADS = ["".join(parts) for parts in product(BREAKS, CODE)]


def chunks(n):
    """All payloads in n texts."""
    return [" ".join(PAYLOADS[i::n]) for i in range(n)]


def hostile(content, name):
    """The content with all payloads as tokens, as labels and as the model's name."""
    content = copy.deepcopy(content)
    content["name"] = name
    text = content["trace"]["source"]
    for token, payload in zip(text["tokens"], chunks(len(text["tokens"])), strict=True):
        token.update(piece=payload, display=payload)
    text.update(texts=[" ".join(PAYLOADS)], normalized=[" ".join(PAYLOADS)])
    for prediction in (content["trace"]["prediction"], *content["lens"]):
        labels = [c for position in prediction["positions"] for c in position["candidates"]]
        for candidate, payload in zip(labels, chunks(len(labels)), strict=True):
            candidate["text"] = payload
    return content


def check(page):
    page.evaluate("() => { window.ran = () => { window.hasRun = true; }; }")
    links = page.locator("nav.path a")
    for i in range(links.count()):
        links.nth(i).click()
        assert page.locator("img, iframe, object, base, #x, main svg script").count() == 0
    assert not page.evaluate("window.hasRun")
    assert page.seen == []


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return content_of("bert, tags", tmp_path_factory.mktemp("model"))


def test_no_payload_runs(show, content):
    assert len(set(PAYLOADS)) == 200
    page = show(hostile(content, " ".join(PAYLOADS)))
    for payload in PAYLOADS:
        assert " ".join(payload.split()) in " ".join(page.title().split())
    page.locator('nav.path a[href="#stop=tokens"]').click()
    assert PAYLOADS[0] in page.inner_text("main")
    page.locator('nav.path a[href="#stop=labels"]').click()
    assert PAYLOADS[0] in page.inner_text("body")
    check(page)


def test_a_payload_that_runs_is_seen(show, content):
    """The policy and the detector work: code put into the page leaves a message."""
    page = show(content)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=ran()>')")
    page.wait_for_timeout(100)
    assert page.seen


@pytest.mark.campaign
@pytest.mark.parametrize("payload", PAYLOADS)
def test_each_name_alone(payload, show, content):
    check(show(hostile(content, payload)))
