"""Layers, tokens and positions switched off.

Authority: the padding mask of the models, for hidden tokens; copies of a model whose weights were
set to 0 by hand, for layers and positions; algebra, for a text without positions.
"""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import pellucid
from explain.zoo import MODELS
from nn.samples import SMALL
from pellucid.errors import UsageError
from pellucid.explain.ablation import Switch, measure_effects, measure_group, switched_off
from pellucid.explain.outputs import log_probabilities
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.switches import (
    layer_switches,
    list_sublayers,
    position_switches,
    token_switches,
)
from pellucid.inference.logits import Inputs, logits
from pellucid.nn.model import Transformer
from pellucid.taps import record


def without(bundle, rows, group):
    with torch.inference_mode(), switched_off(bundle.model, [group]):
        return log_probabilities(bundle, rows, 1, "lm")[0].numpy()


def changed_copy(bundle, names):
    """A copy of a bundle in which the weights of these names are 0."""
    model = copy.deepcopy(bundle.model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in names):
                parameter.zero_()
    return replace(bundle, model=model)


def test_a_hidden_source_token_is_like_padding(bundle, rows):
    ids = rows.inputs.ids
    for position in (1, ids.shape[1] - 1):
        keep = torch.ones_like(ids, dtype=torch.bool)
        keep[0, position] = False
        padded = logits(bundle, Inputs(ids, keep, rows.inputs.target_ids))[0].double()
        hidden = without(bundle, rows, token_switches(bundle.model, "source", position))
        np.testing.assert_allclose(hidden, padded.log_softmax(-1).numpy(), atol=1e-4)


def test_a_hidden_target_token_changes_later_positions_only(bundle, rows):
    group = token_switches(bundle.model, "target", 2)
    effect = measure_group(bundle, rows, group).effect
    assert max(map(abs, effect.log_probs[:2])) < 1e-6
    assert min(map(abs, effect.log_probs[2:])) > 1e-6


def test_a_query_without_keys_gets_nothing(bundle, rows):
    """With all source tokens hidden, attention to them adds the bias of W_O alone."""
    group = [
        switch
        for position in range(rows.inputs.ids.shape[1])
        for switch in token_switches(bundle.model, "source", position)
    ]
    with record(bundle.model, "decoder.layers.*.cross.added") as recorded:
        assert np.isfinite(without(bundle, rows, group)).all()
    for i in range(len(bundle.model.decoder.layers)):
        bias = bundle.model.decoder.layers[i].cross.inner.o.bias
        added = recorded[f"decoder.layers.{i}.cross.added"][0][0]
        torch.testing.assert_close(added, bias.expand_as(added))


def test_a_layer_that_is_off_is_one_without_weights(bundle, rows):
    path = "decoder.layers.1"
    group = layer_switches(bundle.model, path)
    assert [s.path for s in group] == [
        f"{path}.{n}" for n in ("attention", "cross", "feed_forward")
    ]
    zero = [
        f"{path}.{n}" for n in ("attention.inner.o", "cross.inner.o", "feed_forward.inner.down")
    ]
    other = changed_copy(bundle, zero)
    with torch.inference_mode():
        expected = log_probabilities(other, rows, 1, "lm")[0].numpy()
    np.testing.assert_allclose(without(bundle, rows, group), expected, atol=1e-5)


def test_without_positions_the_order_of_words_is_nothing(bundle):
    """Encoder states of a text in another order are the same states in that order."""
    group = position_switches(bundle.model)
    assert [s.path.split(".")[0] for s in group] == ["encoder", "decoder"]
    ids = torch.tensor([[40, 50, 60, 70, 3]])
    order = [2, 0, 3, 1, 4]
    with (
        torch.inference_mode(),
        switched_off(bundle.model, [group]),
        record(bundle.model, "encoder.output") as recorded,
    ):
        for each in (ids, ids[:, order]):
            bundle.model(each, None, torch.tensor([[1]]))
    one, other = recorded["encoder.output"]
    torch.testing.assert_close(one[:, order], other, atol=1e-4, rtol=0)
    assert (one - other).abs().max() > 0.1


def test_biases_by_distance_are_positions_too():
    c = replace(SMALL, positions="buckets")
    torch.manual_seed(0)
    model = Transformer(c).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    other = copy.deepcopy(model)
    for stack in (other.encoder, other.decoder):
        stack.distances.weight.data.zero_()
    ids, target_ids = torch.tensor([[4, 5, 6]]), torch.tensor([[1, 7]])
    group = position_switches(model)
    assert [s.path for s in group] == ["encoder.distances.bias", "decoder.distances.bias"]
    with torch.inference_mode():
        with switched_off(model, [group]):
            states = model(ids, None, target_ids)
        torch.testing.assert_close(states, other(ids, None, target_ids), atol=1e-5, rtol=0)
        with switched_off(model, [[], group]):  # the bias is one for all rows of a batch
            batch = model(ids.expand(2, -1), None, target_ids.expand(2, -1))
        plain = model(ids, None, target_ids)
        torch.testing.assert_close(batch, torch.cat((plain, states)), atol=1e-5, rtol=0)
        assert (plain - states).abs().max() > 1e-3


def test_positions_in_a_batch_are_each_by_itself(bundle, rows):
    groups = [[], position_switches(bundle.model), [Switch("decoder.layers.0.cross", 1)]]
    together = list(measure_effects(bundle, rows, groups))
    for group, effect in zip(groups, together, strict=True):
        alone = measure_group(bundle, rows, group).effect
        np.testing.assert_allclose(effect.log_probs, alone.log_probs, atol=1e-5)


def test_the_prediction_is_that_of_the_changed_model(bundle, rows):
    group = [Switch("decoder.layers.1.cross")]
    changed = measure_group(bundle, rows, group, top=3)
    probabilities = np.exp(without(bundle, rows, group))
    for position, row in zip(changed.prediction.positions, probabilities, strict=True):
        assert [c.id for c in position.candidates] == np.argsort(-row)[:3].tolist()
        assert position.candidates[0].probability == pytest.approx(row.max(), abs=1e-6)


def test_what_a_model_lacks(bundle):
    with pytest.raises(UsageError, match=r"no layer 'encoder.layers.9'"):
        layer_switches(bundle.model, "encoder.layers.9")
    encoder = bundle.model.encoder
    with pytest.raises(UsageError, match="keys of the target"):
        token_switches(torch.nn.ModuleDict({"encoder": encoder}), "target", 0)
    c = bundle.model_config
    n_sublayers = 2 * c.n_encoder_layers + 3 * c.n_decoder_layers
    assert len(list_sublayers(bundle.model)) == n_sublayers


def test_a_hidden_token_behind_a_memory_changes_later_positions_only(tmp_path):
    """Authority: causality, and the scores of an attention by hand."""
    shown = MODELS["transformer-xl"](tmp_path)
    bundle = pellucid.load(shown.directory, device="cpu").bundle
    rows = read_rows(bundle, shown.text, Writing())
    n = rows.inputs.ids.shape[1]
    group = token_switches(bundle.model, "target", n - 2)
    effect = measure_group(bundle, rows, group).effect
    assert max(map(abs, effect.log_probs[: n - 2])) < 1e-6
    closed = []
    for switched in ([], group):
        with (
            torch.inference_mode(),
            switched_off(bundle.model, [switched]),
            record(bundle.model, "*.scores") as recorded,
        ):
            log_probabilities(bundle, rows, 1, "lm")
        closed.append({path: scores[0].isneginf() for path, scores in recorded.items()})
    before, after = closed
    assert before
    for path, mask in after.items():
        differ = (mask != before[path])[0, 0, -1].nonzero()[:, 0].tolist()
        assert differ == [bundle.model.config.mem_len + n - 2]
