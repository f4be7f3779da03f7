"""Statistics, rollout, ablation, attribution and contributions.

Authority: algebra (what must add up, what must not change), loops in NumPy, and models that were
changed by hand instead of through taps.
"""

import copy
import math

import numpy as np
import pytest
import torch

import pellucid
from explain.zoo import MODELS
from pellucid.errors import UsageError
from pellucid.explain.ablation import Switch, list_heads, measure_effects, switched_off
from pellucid.explain.attribution import (
    Outputs,
    input_times_gradient,
    integrated_gradients,
    leave_one_out,
)
from pellucid.explain.flow import attention_rollout, find_attention, value_norms
from pellucid.explain.outputs import log_probabilities
from pellucid.explain.residual import logit_contributions
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.statistics import head_statistics
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.taps import edit


@pytest.fixture(scope="module")
def traced(bundle, rows):
    return trace_rows(bundle, rows, TraceSpec())


@pytest.fixture(scope="module")
def output(bundle, rows):
    return Outputs(bundle, rows, "lm", (1,))


def test_statistics_of_known_rows():
    first = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0]], np.float32)
    previous = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)  # row 0 attends to nothing
    uniform = np.full((3, 3), 1 / 3, np.float32)
    one, two, three = head_statistics(np.stack([first, previous, uniform]))
    assert one == (0.0, 1.0, pytest.approx(1 / 3), 1.0, pytest.approx(1 / 3))
    assert two == (0.0, 1.0, 1.0, 0.5, 0.0)
    assert three.entropy == pytest.approx(math.log(3), rel=1e-6)
    assert three.distance == pytest.approx(8 / 9, rel=1e-6)
    assert (three.previous, three.diagonal) == pytest.approx((2 / 9, 1 / 3), rel=1e-6)


def test_statistics_count_from_the_text_behind_a_memory():
    """Authority: the same weights without the memory, which nothing is read from."""
    weights = np.random.default_rng(1).dirichlet(np.ones(5), (2, 5)).astype(np.float32)
    behind = np.concatenate([np.zeros((2, 5, 3), np.float32), weights], -1)
    for one, other in zip(head_statistics(weights), head_statistics(behind, 3), strict=True):
        assert one == pytest.approx(other)


@pytest.mark.parametrize("n_written", [0, 3, 12])
def test_rollout_of_a_recurrent_model_is_of_its_source(n_written, tmp_path):
    """Whatever the lengths of both texts. Authority: the definition, by hand."""
    shown = MODELS["rnn"](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    n = n_written or len(bundle.tokenizers.source.encode_batch([shown.text])[0])
    target = " ".join(["dog"] * n)
    trace = trace_rows(bundle, read_rows(bundle, shown.text, Writing(target)), TraceSpec())
    rollout = attention_rollout(trace)
    weights = trace["decoder.attention.weights"].mean(0, dtype=np.float64)
    np.testing.assert_allclose(rollout.source, weights / 2, atol=1e-6)
    np.testing.assert_allclose(rollout.target, np.eye(len(weights)) / 2)
    with pytest.raises(UsageError, match="is no attention with heads"):
        value_norms(trace, bundle.model, "decoder.attention")


def test_rollout_behind_a_memory_is_of_the_text(tmp_path):  # authority: the definition, by hand
    shown = MODELS["transformer-xl"](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    trace = trace_rows(bundle, read_rows(bundle, shown.text, Writing()), TraceSpec())
    rollout = attention_rollout(trace)
    assert rollout.source is None
    shares = np.eye(len(trace.target.tokens))
    for path in trace.attentions:
        weights = trace[f"{path}.weights"].mean(0, dtype=np.float64)[:, -len(shares) :]
        shares = (shares + weights @ shares) / 2
    np.testing.assert_allclose(rollout.target, shares, atol=1e-6)


def test_rollout_is_the_product_of_the_layers(traced):
    """The encoder's part by matrices; rows of the decoder are shares of all tokens."""
    rollout = attention_rollout(traced)
    assert rollout.source is not None
    assert rollout.target is not None
    np.testing.assert_allclose(rollout.source.sum(-1) + rollout.target.sum(-1), 1, atol=1e-6)
    memory = np.eye(len(traced.source.tokens))
    for i in range(4):
        weights = traced[f"encoder.layers.{i}.attention.weights"].mean(0, dtype=np.float64)
        memory = (weights + np.eye(len(weights))) / 2 @ memory
    target, source = np.eye(len(rollout.target)), np.zeros(rollout.source.shape)
    for i in range(2):
        own = traced[f"decoder.layers.{i}.attention.weights"].mean(0, dtype=np.float64)
        cross = traced[f"decoder.layers.{i}.cross.weights"].mean(0, dtype=np.float64)
        mixed = (own + np.eye(len(own))) / 2
        target = mixed @ target / 2
        source = mixed @ source / 2 + cross @ memory / 2
    np.testing.assert_allclose(rollout.source, source, atol=1e-6)
    np.testing.assert_allclose(rollout.target, target, atol=1e-6)


def test_value_norms_of_one_head_by_loops(traced, bundle):
    path, h = "decoder.layers.1.cross", 2
    norms = value_norms(traced, bundle.model, path)
    o = find_attention(bundle.model, path).o.weight.detach().numpy()
    weights, values = traced[f"{path}.weights"][h], traced[f"{path}.values"][h]
    width = values.shape[1]
    for t in range(len(weights)):
        for s in range(len(values)):
            mapped = o[:, h * width : (h + 1) * width] @ values[s]
            assert norms[h, t, s] == pytest.approx(
                weights[t, s] * np.linalg.norm(mapped), rel=1e-4, abs=1e-6
            )


def test_a_head_that_is_off_is_one_without_output_weights(bundle, rows):
    """Against a copy of the model whose W_O has zeros for that head."""
    path, h = "encoder.layers.2.attention", 1
    changed = copy.deepcopy(bundle.model)
    o = find_attention(changed, path).o.weight
    width = o.shape[1] // find_attention(changed, path).n_heads
    with torch.no_grad():
        o[:, h * width : (h + 1) * width] = 0
        state = changed(rows.inputs.ids, None, rows.inputs.target_ids)
        expected = changed.heads["lm"](state).double().log_softmax(-1)
    with torch.no_grad(), switched_off(bundle.model, [[Switch(path, h)]]):
        actual = log_probabilities(bundle, rows, 1, "lm")
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_a_batch_of_switches_is_each_by_itself(bundle, rows):
    groups = [
        [],
        [Switch("decoder.layers.0.cross", 3)],
        [Switch("encoder.layers.1.feed_forward")],
        [Switch("decoder.layers.1.cross", None, None, 0)],
        [Switch("encoder.layers.0.attention", 0), Switch("encoder.layers.3.attention", 1)],
    ]
    together = list(measure_effects(bundle, rows, groups))
    for group, effect in zip(groups, together, strict=True):
        (alone,) = measure_effects(bundle, rows, [group])
        np.testing.assert_allclose(effect.log_probs, alone.log_probs, atol=1e-5)
        np.testing.assert_allclose(effect.divergences, alone.divergences, atol=1e-5)
    assert max(map(abs, together[0].log_probs)) < 1e-5
    assert all(max(map(abs, effect.log_probs)) > 1e-3 for effect in together[1:])
    assert all(d > -1e-6 for effect in together for d in effect.divergences)


def test_an_edge_that_is_off_changes_no_earlier_position(bundle, rows):
    edge = Switch("decoder.layers.0.attention", None, 3, 1)
    (effect,) = measure_effects(bundle, rows, [[edge]])
    assert max(map(abs, effect.log_probs[:3])) < 1e-5 < abs(effect.log_probs[3])


def test_every_head_is_listed(bundle):
    c = bundle.model_config
    assert len(list_heads(bundle.model)) == c.n_heads * (
        c.n_encoder_layers + 2 * c.n_decoder_layers
    )


def test_integrated_gradients_are_complete(output):
    (attribution,) = integrated_gradients(output, steps=256)
    assert abs(attribution.gap) < 0.02 * abs(attribution.total)
    (coarse,) = integrated_gradients(output, steps=8)
    assert abs(attribution.gap) < abs(coarse.gap)


def test_input_times_gradient_is_a_derivative(output, bundle):
    """Scaling one token's vector by 1 + e changes the score by e times its share."""
    (attribution,) = input_times_gradient(output)
    assert attribution.source is not None
    e = 1e-2
    for token in range(2):

        def scaled(sign, token=token):
            def edit_token(_, x):
                x = x.clone()
                x[:, token] *= 1 + sign * e
                return x

            with torch.inference_mode(), edit(bundle.model, "encoder.embedding.tokens", edit_token):
                return float(output.scores())

        slope = (scaled(1) - scaled(-1)) / (2 * e)
        assert attribution.source[token] == pytest.approx(slope, rel=0.02, abs=2e-3)


def test_leave_one_out_is_one_at_a_time(output, bundle):
    (attribution,) = leave_one_out(output)
    assert attribution.source is not None
    assert attribution.target is not None
    with torch.inference_mode():
        original = float(output.scores())

    def erase(_, x):
        x = x.clone()
        x[:, 1] = 0
        return x

    with torch.inference_mode(), edit(bundle.model, "encoder.embedding.tokens", erase):
        changed = float(output.scores())
    assert attribution.source[1] == pytest.approx(original - changed, abs=1e-5)
    np.testing.assert_allclose(attribution.target[2:], 0, atol=1e-5)  # causal


@pytest.mark.parametrize("position", [0, 2])
def test_contributions_add_up_to_the_logit(bundle, traced, position):
    logits = traced["heads.lm.logits"][position]
    for token in (int(logits.argmax()), 5):
        parts = logit_contributions(traced, bundle.model, position, token)
        assert sum(part.logit for part in parts) == pytest.approx(logits[token], abs=1e-3)
        names = [part.name for part in parts]
        assert names[0] == "decoder.embedding"
        assert "decoder.layers.1.cross.head.3" in names


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        (Switch("decoder.layers.7.cross", 0), "decoder.layers.0.cross"),
        (Switch("encoder.layers.0.feed_forward", 0), "encoder.layers.0.attention"),
    ],
)
def test_a_part_that_the_model_lacks_is_an_error(bundle, rows, switch, message):
    with pytest.raises(UsageError, match=message):
        list(measure_effects(bundle, rows, [[switch]]))
    with pytest.raises(UsageError, match="no position 99"):
        Outputs(bundle, rows, "lm", (99,)).scores()


def test_outputs_together_are_each_by_itself(bundle, rows, monkeypatch):
    """One forward pass for several outputs, and parts of the copies one after another."""
    alone = [Outputs(bundle, rows, "lm", (position,)) for position in (0, 3)]
    monkeypatch.setattr("pellucid.explain.outputs.MAX_LOGITS", 3 * rows_size(bundle, rows))
    done = []
    together = Outputs(bundle, rows, "lm", (0, 3))
    assert together.n_copies == 3
    for method in (
        input_times_gradient,
        leave_one_out,
        lambda outputs: integrated_gradients(outputs, 8, done.append),
    ):
        for both, one in zip(method(together), alone, strict=True):
            (expected,) = method(one)
            np.testing.assert_allclose(both.source, expected.source, atol=1e-4)
            np.testing.assert_allclose(both.target, expected.target, atol=1e-4)
            assert both.total == pytest.approx(expected.total, abs=1e-5)
    assert sum(done) == 4 * 8
    assert all(weight.requires_grad for weight in bundle.model.parameters())


def rows_size(bundle, rows):
    return log_probabilities(bundle, rows, 1, "lm").numel()
