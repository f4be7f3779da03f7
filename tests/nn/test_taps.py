"""Taps on a real model. Authority: the names that DESIGN.md promises, and algebra."""

import copy

import pytest
import torch

from nn.samples import batch, build_random, max_difference, small
from pellucid.errors import UsageError
from pellucid.taps import edit, record, taps

ATTENTION = ("queries", "keys", "values", "scores", "weights", "context")
EDITED = [
    *(f"decoder.layers.1.cross.inner.{name}" for name in ATTENTION),
    "encoder.output",
    "encoder.embedding.position_vectors",
    "decoder.embedding.tokens",
    "decoder.layers.0.feed_forward.inner.hidden",
    "decoder.layers.2.attention.output",
]


@pytest.fixture
def model():
    return build_random(small(n_decoder_layers=4))


def test_names_are_paths(model):
    expected = {"heads.lm.logits"}
    for stack, n, blocks in (
        ("encoder", 2, ("attention",)),
        ("decoder", 4, ("attention", "cross")),
    ):
        expected.add(f"{stack}.output")
        expected |= {
            f"{stack}.embedding.{name}" for name in ("tokens", "position_vectors", "output")
        }
        for i in range(n):
            layer = f"{stack}.layers.{i}"
            expected |= {f"{layer}.{b}.inner.{t}" for b in blocks for t in ATTENTION}
            sublayers = (*blocks, "feed_forward")
            expected |= {f"{layer}.{b}.{t}" for b in sublayers for t in ("added", "output")}
            expected |= {f"{layer}.feed_forward.inner.{t}" for t in ("expanded", "hidden")}
    assert "decoder.layers.3.cross.inner.weights" in expected
    assert set(taps(model)) == expected


def test_every_tap_sees_a_tensor_of_each_call(model):
    source, keep, target = batch()
    with record(model) as seen:
        model.heads["lm"](model(source, keep, target))
        model.heads["lm"](model(source, keep, target))
    assert set(seen) == set(taps(model))
    assert all(len(calls) == 2 and torch.equal(*calls) for calls in seen.values())
    assert seen["decoder.layers.3.cross.inner.weights"][0].shape == (3, 4, 6, 7)
    assert seen["encoder.layers.0.attention.inner.weights"][0].shape == (3, 4, 7, 7)


def test_a_recording_ends(model):
    inputs = batch()
    with record(model, "decoder.*.weights") as seen:
        model(*inputs)
    calls = {path: len(tensors) for path, tensors in seen.items()}
    model(*inputs)
    assert {path: len(tensors) for path, tensors in seen.items()} == calls
    assert set(calls) == {p for p in taps(model) if p.startswith("decoder.") and "weights" in p}
    assert all(tap.listener is None for tap in taps(model).values())


@pytest.mark.parametrize("pattern", EDITED)
@torch.no_grad()  # so that attention would be fused without a listener
def test_what_an_edit_returns_goes_on(model, pattern):
    inputs = batch()
    before = model(*inputs)
    with edit(model, pattern, lambda path, x: x + torch.randn(x.shape)) as paths:
        edited = model(*inputs)
    assert paths == [pattern]
    assert max_difference(edited, before) > 1e-3
    assert torch.equal(model(*inputs), before)  # and nothing is left of it


def test_a_head_can_be_silenced(model):  # authority: its columns of `o` set to zero
    inputs, name = batch(), "encoder.layers.0.attention.inner"
    with edit(model, f"{name}.context", lambda path, x: x.index_fill(1, torch.tensor(2), 0.0)):
        edited = model(*inputs)
    model.get_submodule(name).o.weight.data[:, 8:12] = 0
    assert max_difference(edited, model(*inputs)) <= 1e-5


def test_edits_stack_and_end_even_after_an_error(model):
    inputs, name = batch(), "decoder.output"
    before = model(*inputs)
    with edit(model, name, lambda path, x: x + 1):
        with record(model, name) as seen, edit(model, name, lambda path, x: x * 3):
            assert max_difference(model(*inputs), (before + 1) * 3) <= 1e-5
        assert max_difference(seen[name][0], before + 1) <= 1e-5
        with pytest.raises(ZeroDivisionError), edit(model, name, lambda path, x: x / 0):
            raise ZeroDivisionError
        assert max_difference(model(*inputs), before + 1) <= 1e-5
    assert torch.equal(model(*inputs), before)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(model):
    unknown = pytest.raises(UsageError, match=r"no tap matches '\*\.wheights'.*weights")
    with unknown, record(model, "*.wheights"):
        pass


def test_a_copy_of_a_model_is_not_listened_to(model):
    with record(model) as seen:
        copy.deepcopy(model)(*batch())
    assert not seen


def test_a_compiled_models_taps_are_the_models_own(model):  # nothing is compiled before a call
    compiled = torch.compile(model)
    assert set(taps(compiled)) == set(taps(model))
    with record(compiled, "decoder.output") as seen:
        model(*batch())
    assert len(seen["decoder.output"]) == 1
