"""What a live page asks and gets, without a server.

Authority: the Python calls that the command line and notebooks use, on the same model.
"""

import json

import pytest

import pellucid
from pellucid.errors import ConfigError, UsageError
from pellucid.explain.encode import decode
from pellucid.explorer.live import describe_live
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import LiveModel, respond

TEXT = "猫追狗。"


@pytest.fixture(scope="module")
def loaded():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture
def model(loaded):
    return LiveModel(loaded.bundle, "zh-en")


def test_a_trace_is_that_of_python(model, loaded):
    reply = json.loads(json.dumps(respond(model, {"ask": "trace", "text": {"text": TEXT}})))
    trace = loaded.trace(TEXT)
    received = decode(reply["trace"])
    assert received.target == trace.target
    assert received.prediction == trace.prediction
    assert received.arrays.keys() == trace.arrays.keys()
    assert TextRequest(**reply["request"]) == TextRequest(TEXT)


def test_settings_reach_the_model(model, loaded):
    text = {"text": TEXT, "target": "A dog sleeps."}
    reply = respond(model, {"ask": "trace", "text": text})
    assert decode(reply["trace"]).target == loaded.trace(TEXT, target="A dog sleeps.").target


def test_the_last_text_is_written_once(model, monkeypatch):
    first = model.read(TextRequest(TEXT))
    monkeypatch.setattr("pellucid.explorer.respond.read_rows", None)
    assert model.read(TextRequest(TEXT)) is first
    with pytest.raises(TypeError):
        model.read(TextRequest("狗追猫。"))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "not a JSON object"),
        ({}, "Known: trace"),
        ({"ask": {"a": 1}}, "Known: trace"),
        ({"ask": "trace", "text": {"text": " \t"}}, "the text is empty"),
        ({"ask": "trace", "text": {"text": "好" * 400}}, "Shorten it"),
        ({"ask": "trace", "text": {"text": TEXT, "head": "x"}}, "Heads of this model: lm"),
        ({"ask": "trace", "text": {"text": TEXT, "max_new": -1}}, "0 tokens or more"),
        ({"ask": "trace", "text": {"text": 3}}, "text is 3, but must be text"),
        ({"ask": "trace", "text": {"txt": TEXT}}, "Did you mean text?"),
        ({"ask": "trace", "text": {"text": TEXT}, "layers": 3}, "'layers'"),
    ],
)
def test_a_bad_request_is_an_error_in_words(model, record, message):
    with pytest.raises((UsageError, ConfigError), match=message):
        respond(model, record)


def test_facts_of_a_translator(loaded):
    live = describe_live(loaded.bundle, "zh-en")["live"]
    assert (live["language"], live["writes"], live["continues"]) == ("zh", True, False)
    assert live["target_languages"] == live["source_languages"] == live["heads"] == []
