"""Long texts: arrays that the live page asks for, and large matrices through a window.

Authority: the whole trace, in NumPy; Chromium, for what the page shows.
"""

import re
import threading

import numpy as np
import pytest

import pellucid
from pellucid.errors import UsageError
from pellucid.explain.encode import decode_array
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.long import ALL, describe_arrays, is_long
from pellucid.explorer.page import render_page
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import respond
from pellucid.explorer.server import Site, open_server

REQUEST = TextRequest("狗" * 135, target="The dog sleeps.")
WEIGHTS = "encoder.layers.1.attention.weights"


@pytest.fixture(scope="module")
def model():
    return LiveModel(pellucid.load("zh-en", device="cpu").bundle, "zh-en")


@pytest.fixture(scope="module")
def trace(model):
    return trace_rows(model.bundle, model.read(REQUEST), TraceSpec())


@pytest.fixture(scope="module")
def content(model):
    return model.describe(REQUEST)


def test_a_long_text_has_shapes_and_sizes(content, trace, model):
    assert is_long(model.read(REQUEST))
    arrays = content["trace"]["arrays"]
    assert arrays.keys() == trace.arrays.keys()
    for name, array in arrays.items():
        assert array["shape"] == list(trace[name].shape)
    assert [name for name, array in arrays.items() if "data" in array] == [
        "decoder.layers.1.cross.weights"
    ]
    sizes = content["trace"]["sizes"]
    states = trace["decoder.layers.0.cross.added"].astype(float)
    expected = np.sqrt((states**2).mean(-1))
    assert sizes["decoder.layers.0.cross.added"] == pytest.approx(expected.tolist(), rel=1e-4)


def test_arrays_are_those_of_the_trace(model, trace):
    text = {"text": REQUEST.text, "target": REQUEST.target}
    ask = {"ask": "arrays", "text": text, "names": [WEIGHTS, "encoder.output"]}
    reply = respond(model, {**ask, "number": 2})["arrays"]
    np.testing.assert_allclose(decode_array(reply[WEIGHTS]), trace[WEIGHTS][2], atol=1e-3)
    np.testing.assert_allclose(
        decode_array(reply["encoder.output"]), trace["encoder.output"], rtol=1e-3, atol=1e-3
    )
    whole = respond(model, ask)["arrays"][WEIGHTS]
    assert whole["shape"] == list(trace[WEIGHTS].shape)


@pytest.mark.parametrize(
    ("names", "number", "message"),
    [
        (["encoder.nothing"], ALL, "no array 'encoder.nothing'"),
        ([WEIGHTS], 4, "4 heads, from 0: none is 4"),
        ([WEIGHTS] * 33, ALL, "more than 32"),
    ],
)
def test_arrays_that_do_not_exist(model, names, number, message):
    with pytest.raises(UsageError, match=message):
        describe_arrays(model.bundle, model.read(REQUEST), None, names, number)


def test_a_window_of_a_large_matrix(browser, model, content, trace):
    live = {"live": {"writes": True, "heads": [], "target_languages": [], "source_languages": []}}
    page_html = render_page({**content, **live}, live=True)
    page = browser.new_context(locale="en-US", reduced_motion="reduce").new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with open_server() as server:
        server.site = Site(page_html, lambda record: respond(model, record))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            path = WEIGHTS.removesuffix(".weights")
            page.goto(f"{server.address}#stop=softmax&attention={path}&head=2&row=38&col=1")
            page.get_by_role("application").focus()
            assert "Rows 1 to 40 of 13" in page.locator("main").inner_text()
            for _ in range(3):  # beyond the last row of the window
                page.keyboard.press("ArrowDown")
            assert "Rows 3 to 42 of 13" in page.locator("main").inner_text()
            spoken = page.locator("main [aria-live]").inner_text()
            assert float(re.search(r"[\d.]+$", spoken)[0]) == pytest.approx(
                trace[WEIGHTS][2, 41, 1], abs=1e-3
            )
            page.locator(".map canvas").click(position={"x": 190, "y": 190})
            assert re.search(r"Rows (9|10)\d to 1\d\d", page.locator("main").inner_text())
            for stop in ("map", "vectors", "heads", "sublayer", "feed_forward", "masks", "words"):
                page.locator(f'nav.path a[href="#stop={stop}"]').click()
                page.locator(".fetching").wait_for(state="detached")
                assert "their way" not in page.locator("h1").inner_text()
        finally:
            server.shutdown()
            thread.join()
    page.context.close()
    assert not errors
