"""Traces: tokens by hand and by decoding, arrays by the formulas of the paper in NumPy, rows by the
search that computed them step by step."""

import numpy as np
import pytest
import torch

import pellucid
from pellucid.errors import UsageError
from pellucid.explain.rows import Writing
from pellucid.explain.trace import PARTS, TraceSpec, trace
from pellucid.taps import record, taps

TEXT = "我喜欢这个美丽花园"


@pytest.fixture(scope="module")
def translator():
    return pellucid.load("zh-en", device="cpu").bundle


@pytest.fixture(scope="module")
def traced(translator):
    return trace(translator, TEXT)


def softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def test_source_tokens_are_the_bytes_of_their_characters(traced):
    *tokens, end = traced.source.tokens
    assert (end.special, end.bytes, end.piece) == (True, "", "</s>")
    assert bytes.fromhex("".join(token.bytes for token in tokens)).decode() == TEXT
    for token in tokens:
        characters = TEXT[token.start : token.end].encode()
        assert bytes.fromhex(token.bytes) in characters
    assert any(token.display.startswith("⟨") for token in tokens)  # a character in two tokens


def test_written_tokens_are_the_translation(traced, translator):
    (translation,) = pellucid.load("zh-en", device="cpu").translate([TEXT])
    start, *tokens = traced.target.tokens
    assert start.special
    assert tuple(token.id for token in tokens) == translation.ids
    assert traced.target.texts == (translation.text,)
    spelled = "".join(translation.text[token.start : token.end] for token in tokens)
    assert spelled == translation.text
    chosen = [position.chosen for position in traced.prediction.positions]
    assert [c.id for c in chosen] == [*translation.ids, translator.special_ids.end]


def test_attention_is_that_of_the_paper(traced):
    for path in traced.attentions:
        q, k, v = (
            traced[f"{path}.{name}"].astype(np.float64) for name in ("queries", "keys", "values")
        )
        raw = q @ k.swapaxes(-1, -2)
        scaled = raw / np.sqrt(q.shape[-1])
        mask = np.zeros(raw.shape[1:])
        if path.startswith("decoder") and path.endswith("attention"):
            mask[np.triu_indices(len(mask), 1)] = -np.inf
        np.testing.assert_allclose(traced[f"{path}.raw_scores"], raw, atol=1e-4)
        np.testing.assert_allclose(traced[f"{path}.scaled_scores"], scaled, atol=1e-5)
        np.testing.assert_array_equal(traced[f"{path}.mask"], mask)
        np.testing.assert_allclose(traced[f"{path}.scores"], scaled + mask, atol=1e-5)
        weights = softmax(scaled + mask)
        np.testing.assert_allclose(traced[f"{path}.weights"], weights, atol=1e-6)
        np.testing.assert_allclose(traced[f"{path}.context"], weights @ v, atol=1e-5)
        joined = np.concatenate(list(weights @ v), -1)  # heads side by side
        np.testing.assert_allclose(traced[f"{path}.concatenated"], joined, atol=1e-5)


def test_sublayers_add_up(traced, translator):
    """Concat to W_O, residual, norm and feed-forward of a pre-norm encoder, in NumPy."""
    assert translator.model_config.norm_place == "pre"
    assert translator.model_config.activation == "relu"
    parameters = translator.model.named_parameters()
    w = {name: p.detach().double().numpy() for name, p in parameters}

    def linear(name, x):
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0)

    def norm(name, x):
        centered = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centered**2).mean(-1, keepdims=True) + translator.model_config.norm_eps)
        return centered / spread * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = traced["encoder.embedding.output"].astype(np.float64)
    for i in range(len(translator.model.encoder.layers)):
        path = f"encoder.layers.{i}.attention"
        added = linear(f"{path}.inner.o", traced[f"{path}.concatenated"])
        np.testing.assert_allclose(traced[f"{path}.added"], added, atol=1e-4)
        x = x + added
        np.testing.assert_allclose(traced[f"{path}.output"], x, atol=1e-4)
        path = f"encoder.layers.{i}.feed_forward"
        expanded = linear(f"{path}.inner.up", norm(f"{path}.norm", x))
        np.testing.assert_allclose(traced[f"{path}.expanded"], expanded, atol=1e-4)
        hidden = np.maximum(expanded, 0)
        np.testing.assert_allclose(traced[f"{path}.hidden"], hidden, atol=1e-4)
        added = linear(f"{path}.inner.down", hidden)
        np.testing.assert_allclose(traced[f"{path}.added"], added, atol=1e-4)
        x = x + added
        np.testing.assert_allclose(traced[f"{path}.output"], x, atol=1e-4)
    np.testing.assert_allclose(traced["encoder.output"], norm("encoder.norm", x), atol=1e-4)


def test_rows_are_those_of_the_search_step_by_step(traced, translator):
    """Cached steps over the chosen text give the same rows, one at a time."""
    model, ids = translator.model, [token.id for token in traced.target.tokens]
    source = torch.tensor([[token.id for token in traced.source.tokens]])
    with torch.inference_mode(), record(model, "decoder.layers.*.weights") as recorded:
        cache = model.prefill(source, None, 1)
        logits = [model.step(torch.tensor([[i]]), cache).logits[0, 0] for i in ids]
    np.testing.assert_allclose(traced["heads.lm.logits"], torch.stack(logits), atol=1e-4)
    for path, rows in recorded.items():
        weights = traced[path.replace(".inner", "")]
        for t, row in enumerate(rows):
            n = row.shape[-1]
            np.testing.assert_allclose(weights[:, t, :n], row[0, :, 0], atol=1e-5)
            assert not weights[:, t, n:].any()


def test_fused_attention_gives_the_same_states(traced, translator):
    model = translator.model
    source = torch.tensor([[token.id for token in traced.source.tokens]])
    target = torch.tensor([[token.id for token in traced.target.tokens]])
    assert all(tap.listener is None for tap in taps(model).values())
    with torch.inference_mode():
        states = model(source, None, target)[0]
    np.testing.assert_allclose(traced["decoder.output"], states, atol=1e-5)


def test_probabilities_and_the_rest_are_one(traced):
    for position in traced.prediction.positions:
        total = sum(c.probability for c in position.candidates) + position.rest
        assert total == pytest.approx(1, abs=1e-9)
        assert position.rank == sum(
            c.probability > position.chosen.probability for c in position.candidates
        )


@pytest.mark.parametrize("part", PARTS)
def test_only_what_is_asked_for(part, translator):
    arrays = trace(translator, "我爱你。", TraceSpec((part,), layers=(0,))).arrays
    everything = trace(translator, "我爱你。").arrays
    assert arrays
    for name, array in arrays.items():
        np.testing.assert_allclose(array, everything[name], atol=1e-5, err_msg=name)
    assert not [name for name in arrays if ".layers." in name and ".layers.0." not in name]


def test_a_given_target_is_traced(translator):
    given = trace(translator, TEXT, writing=Writing(target="We love gardens."))
    assert given.target is not None
    assert given.prediction is not None
    chosen = given.prediction.positions[-1].chosen
    assert given.target.texts == ("We love gardens.",)
    assert chosen is not None
    assert chosen.id == translator.special_ids.end


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        (" ", {}, "the text is empty"),
        ("a\tb", {}, "1 tabs"),
        ("a", {"parts": ("heads", "weight")}, "no part 'weight'"),
        ("a", {"parts": ("attention",), "layers": (9,)}, "there is no layer 9"),
        ("a", {"head": "mlm"}, "there is no head 'mlm'"),
        ("a", {"top": 0}, "name 1 token or more"),
        ("好" * 3000, {}, "would be translated in parts"),
    ],
)
def test_bad_input_is_an_error(text, spec, message, translator):
    with pytest.raises(UsageError, match=message):
        trace(translator, text, TraceSpec(**spec))


def test_an_unknown_array_is_an_error_that_names_the_others(traced):
    with pytest.raises(UsageError, match=r"no array 'encoder.layers.0.attention.wieghts'"):
        traced["encoder.layers.0.attention.wieghts"]
