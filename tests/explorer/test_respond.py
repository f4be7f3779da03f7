"""What a live page asks and gets, without a server.

Authority: the Python calls that the command line and notebooks use, on the same model.
"""

import copy
import json
from dataclasses import replace

import pytest

import pellucid
from explain.zoo import MODELS
from pellucid.errors import ConfigError, UsageError
from pellucid.explain.ablation import Switch, measure_group
from pellucid.explain.beams import log_beams
from pellucid.explain.encode import decode
from pellucid.explain.switches import layer_switches, position_switches
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.explorer.live import describe_live
from pellucid.explorer.live_model import LiveModel
from pellucid.explorer.request import TextRequest
from pellucid.explorer.respond import respond
from pellucid.inference.translate import translate

TEXT = "猫追狗。"


@pytest.fixture(scope="module")
def loaded():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture
def model(loaded):
    return LiveModel(loaded.bundle, "zh-en")


def decode_texts(reply):
    """Return the trace of a reply without its arrays; tests of `compact` read those."""
    return decode({**reply["trace"], "arrays": {}})


def test_a_trace_is_that_of_python(model, loaded):
    reply = json.loads(json.dumps(respond(model, {"ask": "trace", "text": {"text": TEXT}})))
    trace = loaded.trace(TEXT)
    received = decode_texts(reply)
    assert received.target == trace.target
    assert received.prediction == trace.prediction
    shapes = {name: tuple(array["shape"]) for name, array in reply["trace"]["arrays"].items()}
    # The page computes the mixtures of heads, and what leaves an activation.
    names = [name for name in trace.arrays if not name.endswith((".context", ".hidden"))]
    assert shapes == {name: trace[name].shape for name in names}
    assert TextRequest(**reply["request"]) == TextRequest(TEXT)


def test_settings_reach_the_model(model, loaded):
    text = {"text": TEXT, "target": "A dog sleeps."}
    reply = respond(model, {"ask": "trace", "text": text})
    assert decode_texts(reply).target == loaded.trace(TEXT, target="A dog sleeps.").target


def test_the_last_text_is_written_once(model, monkeypatch):
    first = model.read(TextRequest(TEXT))
    monkeypatch.setattr("pellucid.explorer.live_model.read_rows", None)
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
        ({"ask": "search", "text": {"text": TEXT}, "search": {"beam": 11}}, "1 to 10"),
    ],
)
def test_a_bad_request_is_an_error_in_words(model, record, message):
    with pytest.raises((UsageError, ConfigError), match=message):
        respond(model, record)


def test_a_search_with_the_settings_of_a_reader(model, loaded):
    ask = {"ask": "search", "text": {"text": TEXT}}
    free = respond(model, ask)["search"]
    assert (free["beam"], free["forced"]) == (loaded.bundle.decoding.beam, 0)
    assert best_text(free) == loaded.translate([TEXT])[0].text
    greedy = respond(model, {**ask, "search": {"beam": 1}})["search"]
    assert best_text(greedy) == loaded.translate([TEXT], beam=1)[0].text
    dropped = next(node for node in free["nodes"] if node["status"] == "pruned")
    forced = respond(model, {**ask, "search": {"prefix": [dropped["id"]]}})["search"]
    nodes = log_beams(loaded.bundle, loaded.ids(TEXT), None, [dropped["id"]])
    assert [node["log_prob"] for node in forced["nodes"]] == [node.log_prob for node in nodes]
    assert best_text(forced).startswith(dropped["text"])


def best_text(search):
    return [node["text"] for node in search["nodes"] if node["is_best"]][-1]


def test_a_decoder_alone_searches_among_continuations(tmp_path):
    shown = MODELS["gpt-2"](tmp_path)
    gpt = pellucid.load(shown.directory, device="cpu")
    text = {"text": shown.text, "max_new": 4}
    ask = {"ask": "search", "text": text, "search": {"beam": 3}}
    search = respond(LiveModel(gpt.bundle, "gpt-2"), ask)["search"]
    (expected,) = gpt.generate([shown.text], method="beam", beam=3, max_length=4)
    assert best_text(search) == expected.text


def test_another_order_of_the_words(model):
    ask = {"ask": "order", "text": {"text": "猫追狗"}}
    backwards = respond(model, ask)["order"]
    assert backwards == respond(model, {**ask, "other": "狗追猫"})["order"]
    assert [token["piece"] for token in backwards["tokens"]][-1] == "</s>"
    with pytest.raises(UsageError, match="different tokens"):
        respond(model, {**ask, "other": "狗睡觉"})


CROSS = "decoder.layers.1.cross"


@pytest.mark.parametrize(
    ("part", "switches"),
    [
        ({"kind": "head", "path": CROSS, "head": 2}, [Switch(CROSS, 2)]),
        ({"kind": "sublayer", "path": CROSS}, [Switch(CROSS)]),
        ({"kind": "edge", "path": CROSS, "query": 3, "key": 1}, [Switch(CROSS, None, 3, 1)]),
        (
            {"kind": "edge", "path": CROSS, "head": 1, "query": 0, "key": 0},
            [Switch(CROSS, 1, 0, 0)],
        ),
        (
            {"kind": "token", "side": "target", "key": 1},
            [Switch(f"decoder.layers.{i}.attention", key=1) for i in range(2)],
        ),
    ],
)
def test_parts_that_are_off(model, part, switches):
    reply = respond(model, {"ask": "off", "text": {"text": TEXT}, "off": [part]})
    changed = measure_group(model.bundle, model.read(TextRequest(TEXT)), switches)
    assert reply["log_probs"] == pytest.approx(changed.effect.log_probs, abs=1e-5)
    assert reply["divergences"] == pytest.approx(changed.effect.divergences, abs=1e-5)
    assert any(reply["log_probs"])
    first = changed.prediction.positions[0].candidates[0]
    assert reply["positions"][0]["candidates"][0]["text"] == first.text
    originals = trace_rows(model.bundle, model.read(TextRequest(TEXT)), TraceSpec()).prediction
    for i, (original, now) in enumerate(zip(originals.positions, reply["positions"], strict=True)):
        words = original.candidates[0].text, now["candidates"][0]["text"]
        assert reply["instead"].get(str(i)) == (None if words[0] == words[1] else words[1])


def test_parts_add_up_to_one_group(model):
    parts = [{"kind": "layer", "path": "decoder.layers.0"}, {"kind": "positions"}]
    reply = respond(model, {"ask": "off", "text": {"text": TEXT}, "off": parts})
    network = model.bundle.model
    group = [*layer_switches(network, "decoder.layers.0"), *position_switches(network)]
    changed = measure_group(model.bundle, model.read(TextRequest(TEXT)), group)
    assert reply["log_probs"] == pytest.approx(changed.effect.log_probs, abs=1e-5)


def test_the_text_is_written_again(model, loaded):
    """As by a copy of the model in which the sublayer's last weights are 0."""
    part = {"kind": "sublayer", "path": CROSS}
    reply = respond(model, {"ask": "rewrite", "text": {"text": TEXT}, "off": [part]})
    network = copy.deepcopy(loaded.bundle.model)
    for parameter in network.decoder.layers[1].cross.inner.o.parameters():
        parameter.data.zero_()
    ((expected,),) = translate(replace(loaded.bundle, model=network), [TEXT])
    assert [token["id"] for token in reply["target"]["tokens"][1:]] == list(expected.ids)
    assert expected.text != loaded.translate([TEXT])[0].text


@pytest.mark.parametrize(
    ("off", "message"),
    [
        (None, "must be a list"),
        (["head"], r"off\[0\] is not a JSON object"),
        ([{"kind": "heads"}], "did you mean head"),
        ([{"kind": "head", "path": CROSS, "head": 4}], "no head 4"),
        ([{"kind": "sublayer", "path": "decoder"}], "no sublayer 'decoder'"),
        ([{"kind": "layer", "path": "encoder.layers.99"}], "no layer"),
        ([{"kind": "token", "side": "source", "key": 99}], "none is 99"),
        ([{"kind": "token", "side": "target", "key": -1}], "none is -1"),
        ([{"kind": "edge", "path": "x", "query": 0, "key": 0}], "cannot be switched off"),
    ],
)
def test_parts_that_the_model_lacks(model, off, message):
    with pytest.raises((UsageError, ConfigError), match=message):
        respond(model, {"ask": "off", "text": {"text": TEXT}, "off": off})


def test_edges_belong_to_a_text(model):
    edge = {"kind": "edge", "path": CROSS, "query": 0, "key": 0}
    with pytest.raises(UsageError, match="no other can be written"):
        respond(model, {"ask": "rewrite", "text": {"text": TEXT}, "off": [edge]})


def test_facts_of_a_translator(loaded):
    live = describe_live(loaded.bundle, "zh-en")["live"]
    assert (live["language"], live["writes"], live["continues"]) == ("zh", True, False)
    assert live["target_languages"] == live["source_languages"] == live["heads"] == []
