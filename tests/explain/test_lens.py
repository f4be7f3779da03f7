"""The logit lens.

Authority: the prediction of the model; one position at a time, in float64.
"""

import copy
from dataclasses import replace

import pytest
import torch

import pellucid
from explain.zoo import MODELS
from pellucid.explain.lens import logit_lens, predict_states
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.trace import TraceSpec, trace_rows
from pellucid.taps import record

TOP = 3


@pytest.fixture(scope="module")
def traced(bundle, rows):
    return trace_rows(bundle, rows, TraceSpec())


def test_the_last_layer_of_the_lens_is_the_prediction(bundle, traced):
    lens = logit_lens(bundle, traced)
    assert len(lens) == 1 + len(bundle.model.decoder.layers)
    assert traced.prediction is not None
    for position, real in zip(lens[-1].positions, traced.prediction.positions, strict=True):
        assert [c.id for c in position.candidates] == [c.id for c in real.candidates]
        assert position.candidates[0].probability == pytest.approx(
            real.candidates[0].probability, abs=1e-6
        )
    assert lens[0].positions[0].candidates[0].id != lens[-1].positions[0].candidates[0].id


def test_the_lens_of_a_model_in_another_precision(bundle, rows):
    changed = replace(bundle, model=copy.deepcopy(bundle.model).bfloat16())
    trace = trace_rows(changed, rows, TraceSpec())
    last = logit_lens(changed, trace)[-1]
    for position, real in zip(last.positions, trace.prediction.positions, strict=True):
        assert [c.id for c in position.candidates] == [c.id for c in real.candidates]


@pytest.mark.parametrize("n", [1, 2, 100])
def test_a_large_vocabulary_is_read_in_parts(n, tmp_path, monkeypatch):
    """Parts of n positions, of a model that has a norm after its last layer."""
    shown = MODELS["gpt-2"](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    rows = read_rows(bundle, shown.text, Writing(max_new=3))
    trace = trace_rows(bundle, rows, TraceSpec())
    n_layers, vocab_size = len(bundle.model.decoder.layers), bundle.model_config.vocab_size
    n_positions = len(rows.target.tokens)
    assert n_positions % 2
    outputs = (f"decoder.layers.{i}.feed_forward.output" for i in range(n_layers))
    states = [trace[name] for name in ("decoder.embedding.output", *outputs)]
    monkeypatch.setattr("pellucid.explain.lens.MAX_LOGITS", n * vocab_size + 1)
    with record(bundle.model, "heads.lm.logits") as recorded:
        lens = predict_states(bundle, rows, states, None, TOP)
    (logits,) = recorded.values()
    assert max(len(part) for part in logits) == min(n, n_positions)
    assert sum(len(part) for part in logits) == n_positions * (1 + n_layers)
    norm, head = bundle.model.decoder.norm.double(), bundle.model.heads["lm"].double()
    for layer, state in zip(lens, states, strict=True):
        assert len(layer.positions) == n_positions
        for i, position in enumerate(layer.positions):
            probabilities = head(norm(torch.from_numpy(state[i]).double())).softmax(-1)
            best = probabilities.topk(TOP)
            assert [each.id for each in position.candidates] == best.indices.tolist()
            shown = [each.probability for each in position.candidates]
            assert shown == pytest.approx(best.values.tolist(), abs=1e-5)
            following = [token.id for token in rows.target.tokens[i + 1 : i + 2]]
            assert [each.id for each in (position.chosen,) if each] == following
