"""Labels, tags, answers, words, summaries, traces. Authority: the same model without a server."""

import numpy as np
import pytest

TEXTS = ["The dog sleeps.", "A cat sees the house in the garden."]
NEAR = {"abs": 1e-5}


def test_classify(server, loaded):
    items = [TEXTS[0], TEXTS]  # a text, and a pair
    results = server.ask("/v1/classify", model="classifier", text=items)["results"]
    for result, expected in zip(results, loaded["classifier"].classify(items), strict=True):
        assert result["labels"] == list(expected.labels)
        assert result["probability"] == pytest.approx(expected.probability, **NEAR)
        assert [each["label"] for each in result["ranked"]] == [r.label for r in expected.ranked]


def test_tag(server, loaded):
    items = [TEXTS[0], TEXTS[1].split(), ""]
    results = server.ask("/v1/tag", model="tagger", text=items)["results"]
    for result, expected in zip(results, loaded["tagger"].tag(items), strict=True):
        assert result["tags"] == list(expected.tags)
        assert result["probabilities"] == pytest.approx(expected.probabilities, **NEAR)
    assert [result["words"] for result in results] == [TEXTS[0].split(), items[1], []]


def test_answer(server, loaded):
    pair = {"question": "Who sleeps?", "context": TEXTS[1]}
    settings = {"top": 3, "answer_tokens": 4, "null_threshold": 0.5}
    (ranked,) = server.ask("/v1/answer", model="answerer", questions=[pair], **settings)["answers"]
    (expected,) = loaded["answerer"].answer([tuple(pair.values())], **settings)
    assert [each["text"] for each in ranked] == [each.text for each in expected]
    assert [each["start"] for each in ranked] == [each.start for each in expected]
    chances = [each.probability for each in expected]
    assert [each["probability"] for each in ranked] == pytest.approx(chances, **NEAR)


def test_fill(server, loaded):
    text = "The [MASK] sleeps in the [MASK]."
    (result,) = server.ask("/v1/fill", model="bert", text=text, top=3)["results"]
    (expected,) = loaded["bert"].fill([text], 3)
    words = [[word["token"] for word in gap] for gap in result["gaps"]]
    assert words == [[word.token for word in gap] for gap in expected]
    assert result["text"] == loaded["bert"].filled_in(text, [gap[0] for gap in expected])


def test_similarity(server, loaded):
    pairs = [TEXTS, [TEXTS[0], TEXTS[0]]]
    scores = server.ask("/v1/similarity", model="bert", pairs=pairs)["scores"]
    assert scores == pytest.approx(loaded["bert"].similarity(pairs), **NEAR)


def test_summarize(server, loaded):
    settings = {"beam": 2, "n_best": 2, "max_length": 20, "source_prefix": "The "}
    (ranked,) = server.ask("/v1/summarize", model="en-de", text=TEXTS[1], **settings)["summaries"]
    (expected,) = loaded["en-de"].summarize([TEXTS[1]], **settings)
    assert [each["text"] for each in ranked] == [each.text for each in expected]


def test_trace(server, loaded):
    from pellucid.explain.encode import decode

    settings = {"target": "Der Hund.", "parts": ["attention"], "layers": [0]}
    trace = server.ask("/v1/trace", model="en-de", text=TEXTS[0], **settings)["trace"]
    expected = loaded["en-de"].trace(TEXTS[0], **settings)
    name = "decoder.layers.0.cross.weights"
    assert np.abs(decode(trace)[name] - expected[name]).max() < 1e-3  # float16


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("classify", {"model": "bert", "text": "a"}, "classifier"),
        ("classify", {"model": "classifier", "text": [["a", "b", "c"]]}, "at most 2 items"),
        ("tag", {"model": "tagger", "text": [["a"] * 3, [3]]}, "valid string"),
        ("answer", {"model": "answerer", "questions": [{"question": "a"}]}, "questions"),
        ("answer", {"model": "answerer", "questions": [], "top": 0}, "top: Input should be"),
        ("fill", {"model": "bert", "text": "no gap"}, "there is no gap in 'no gap'"),
        ("similarity", {"model": "bert", "pairs": [["a"]]}, "at least 2 items"),
        ("trace", {"model": "en-de", "text": "a" * 401}, "401 characters, more than 400"),
        ("trace", {"model": "en-de", "text": " "}, "the text is empty"),
        ("trace", {"model": "en-de", "text": "a", "parts": ["x"]}, "no part 'x'"),
        ("summarize", {"model": "en-de", "text": "a b " * 1200}, "tokens, more than 1,024"),
    ],
)
def test_what_cannot_be_done_is_refused(server, path, body, message):
    assert message in server.refusal(f"/v1/{path}", 400, **body)


def test_work_that_cannot_be_done_is_counted_apart(server):
    """A text without a gap is the client's mistake, and no fault of the model."""
    outcomes = server.models["bert"].engine.outcomes
    before = dict(outcomes)
    server.refusal("/v1/fill", 400, model="bert", text="no gap")
    assert outcomes["invalid"] == before.get("invalid", 0) + 1
    assert outcomes["failed"] == before.get("failed", 0)
    metrics = server.client.get("/metrics").text
    assert 'pellucid_work_total{model="bert",outcome="invalid"}' in metrics
