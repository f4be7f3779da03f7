"""Why an output was chosen: shares of tokens, and what parts add to its logit.

Authority: the attributions and contributions of one output by itself, from Python; algebra, for
what adds up to the logit; Chromium and axe-core, for the page.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import pellucid
from explain.zoo import MODELS
from explorer.browser import AXE, serious_violations
from pellucid.errors import UsageError
from pellucid.explain.attribution import Outputs, integrated_gradients, leave_one_out
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.attribution import STEPS, count_gradients, describe_attribution
from pellucid.explorer.content import describe_trace
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.respond import respond
from pellucid.explorer.stream import BIAS, describe_stream
from pellucid.nn.heads import pool_states

TEXT = "猫追狗"


@pytest.fixture(scope="module")
def rows(zh_en):
    return read_rows(zh_en.bundle, TEXT, Writing())


@pytest.fixture(scope="module")
def attribution(zh_en, rows):
    done = []
    described = describe_attribution(zh_en.bundle, rows, None, progress=done.append)
    assert sum(done) == count_gradients(zh_en.bundle, rows, None)
    return described


@pytest.fixture(scope="module")
def stream(zh_en, rows):
    return describe_stream(zh_en.bundle, rows, None)


def test_all_outputs_are_those_of_one(zh_en, rows, attribution):
    assert [each["position"] for each in attribution["outputs"]] == list(
        range(len(rows.target.tokens))
    )
    for position in (0, 2):
        alone = Outputs(zh_en.bundle, rows, "lm", (position,))
        for name, (expected,) in (
            ("integrated", integrated_gradients(alone, STEPS)),
            ("erasure", leave_one_out(alone)),
        ):
            shown = attribution["outputs"][position]
            assert shown["total"] == pytest.approx(expected.total, abs=1e-4)
            np.testing.assert_allclose(shown[name]["source"], expected.source, atol=2e-4)
            np.testing.assert_allclose(shown[name]["target"], expected.target, atol=2e-4)


def test_parts_add_up_to_the_logit(zh_en, stream):
    trace = zh_en.trace(TEXT)
    for output, position in zip(stream["outputs"], trace.prediction.positions, strict=True):
        assert sum(output["logits"]) == pytest.approx(position.chosen.score, abs=1e-3)
    names = [part["path"] for part in stream["parts"]]
    assert names[0] == "decoder.embedding"
    assert names.count("decoder.layers.1.cross") == 4  # heads
    assert names.count(BIAS) == 1


def test_norms_and_cosines_are_those_of_the_states(zh_en, stream):
    trace = zh_en.trace(TEXT)
    first, last = (trace[stream["states"][i]][1].astype(float) for i in (0, -1))
    output = stream["outputs"][1]
    assert output["norms"][0] == pytest.approx(np.sqrt((first**2).sum()), rel=1e-5)
    cosine = first @ last / np.sqrt((first**2).sum() * (last**2).sum())
    assert output["cosines"][0] == pytest.approx(cosine, rel=1e-4)
    assert output["cosines"][-1] == pytest.approx(1)


@pytest.mark.parametrize("name", ["bert, masked words", "bert, classes"])
def test_a_head_that_is_not_linear_has_no_parts(name, tmp_path):
    shown = MODELS[name](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    described = describe_stream(bundle, read_rows(bundle, shown.text, Writing()), None)
    assert described["parts"] is None
    assert described["outputs"][0]["logits"] is None
    assert len(described["outputs"][0]["norms"]) == 3


@pytest.mark.parametrize("pool", ["first", "last", "end", "mean", "max"])
def test_the_states_are_those_that_a_head_reads(pool, tmp_path):
    """Authority: `pool_states`, with which the model itself computes its labels."""
    shown = MODELS["bart, classes"](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    heads = bundle.model.head_configs
    heads["classifier"] = replace(heads["classifier"], pool=pool)
    rows = read_rows(bundle, shown.text, Writing())
    trace = trace_rows(bundle, rows, TraceSpec(head="classifier"))
    described = describe_stream(bundle, rows, "classifier")
    for norm, name in zip(described["outputs"][0]["norms"], described["states"], strict=True):
        states = torch.from_numpy(trace[name])[None]
        is_end = torch.tensor([[t.id == bundle.special_ids.end for t in trace.target.tokens]])
        read = pool_states(states, None, is_end, pool)
        assert norm == pytest.approx(float(read.norm()), rel=1e-5)


def test_one_output_is_asked_for(zh_en, attribution, stream):
    live = LiveModel(zh_en.bundle, "zh-en")
    about = {"text": {"text": TEXT}, "position": 2}
    (asked,) = respond(live, {"ask": "attribution", **about})["outputs"]
    assert asked["position"] == 2
    assert asked["erasure"] == attribution["outputs"][2]["erasure"]
    (asked,) = respond(live, {"ask": "stream", **about})["stream"]["outputs"]
    assert asked == stream["outputs"][2]
    for ask in ("attribution", "stream"):
        with pytest.raises(UsageError, match="no position 99"):
            respond(live, {"ask": ask, **about, "position": 99})


def test_a_long_text_has_no_shares(zh_en):
    rows = read_rows(zh_en.bundle, "狗" * 130, Writing(target="dog"))
    assert count_gradients(zh_en.bundle, rows, None) == 0
    with pytest.raises(UsageError, match="more than 128 tokens"):
        describe_attribution(zh_en.bundle, rows, None)


@pytest.fixture(scope="module")
def content(zh_en, attribution, stream):
    described = describe_trace(zh_en.bundle, zh_en.trace(TEXT), "zh-en")
    return {**described, "attribution": attribution, "stream": stream}


def test_the_page_adds_up_and_says_so(show, content, zh_en, stream):
    page = show(content, fragment="#stop=stream&row=2", reduced_motion="reduce")
    logit = zh_en.trace(TEXT).prediction.positions[2].chosen.score
    shown = re.findall(r"[\d.]+\d", page.locator(".check").inner_text())
    assert float(shown[0]) == pytest.approx(sum(stream["outputs"][2]["logits"]), abs=1e-4)
    assert float(shown[1]) == pytest.approx(logit, abs=1e-4)
    bars = [float(x.replace("−", "-")) for x in page.locator("main li .value").all_inner_texts()]
    assert sum(bars[:-1]) == pytest.approx(bars[-1], abs=0.01 * len(bars))
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert not serious_violations(page)
    page.get_by_label("Output").get_by_role("button").first.click()
    first = zh_en.trace(TEXT).prediction.positions[0].chosen
    assert f"“{first.text.strip()}”" in page.locator("h1").inner_text()


def read(text):
    """The number of a text; less than its last digit, as in <0.01, is 0."""
    return 0.0 if text[0] in "<>" else float(text.replace("−", "-"))


def test_the_page_prints_the_gap(show, content, attribution):
    page = show(content, "#stop=attribution&row=2", reduced_motion="reduce", color_scheme="dark")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for name, method in (
        ("Integrated gradients", "integrated"),
        ("Input × gradient", "gradient"),
        ("Leave one out", "erasure"),
    ):
        page.get_by_role("button", name=name).click()
        output = attribution["outputs"][2]
        shares = [*output[method]["source"], *output[method]["target"]]
        tokens = page.locator("main li .value").all_inner_texts()
        assert [read(x) for x in tokens] == pytest.approx(shares, abs=6e-3)
        printed = [read(x) for x in page.locator("aside dd").all_inner_texts()]
        total = output["total"]
        assert printed == pytest.approx([sum(shares), total, total - sum(shares)], abs=1e-3)
        assert not serious_violations(page)
    assert page.seen == []
