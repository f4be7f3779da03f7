"""Taps: idle ones change nothing, listeners see and replace, and all is put back afterwards."""

import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.taps import Tap, edit, record, taps


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(2, 2)
        self.state = Tap()

    def forward(self, x: Tensor) -> Tensor:
        return self.state(self.up(x))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Inner(), Inner()])
        self.output = Tap()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.output(x)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Outer()


X = torch.tensor([[1.0, -2.0]])


def test_names_are_paths_and_taps_are_no_modules(model):  # authority: the module tree
    assert sorted(taps(model)) == ["layers.0.state", "layers.1.state", "output"]
    assert len(list(model.parameters())) == 4
    assert not any("state" in name or "output" in name for name in model.state_dict())


def test_record_sees_what_passes(model):  # authority: the computation done by hand
    with torch.no_grad(), record(model) as seen:
        first = model(X)
        model(2 * X)
    by_hand = model.layers[0].up(X)
    assert [len(calls) for calls in seen.values()] == [2, 2, 2]
    torch.testing.assert_close(seen["layers.0.state"][0], by_hand, atol=0, rtol=0)
    torch.testing.assert_close(seen["output"][0], first, atol=0, rtol=0)


def test_record_takes_a_pattern(model):  # authority: by hand
    with record(model, "layers.*.state") as seen:
        model(X)
    assert sorted(seen) == ["layers.0.state", "layers.1.state"]


def test_edit_replaces_what_passes(model):  # authority: the computation done by hand
    with edit(model, "layers.0.state", lambda path, x: torch.zeros_like(x)) as paths:
        edited = model(X)
    assert paths == ["layers.0.state"]
    torch.testing.assert_close(edited, model.layers[1].up(torch.zeros(1, 2)), atol=0, rtol=0)


def test_edits_stack_and_inner_ones_see_outer_ones(
    model,
):  # authority: (x + 1) * 10, not x * 10 + 1
    plain = model(X)
    with (
        edit(model, "output", lambda path, x: x + 1),
        edit(model, "output", lambda path, x: x * 10),
        record(model, "output") as seen,
    ):
        model(X)
    torch.testing.assert_close(seen["output"][0], (plain + 1) * 10, atol=0, rtol=0)


def test_everything_is_restored_even_after_an_error(
    model,
):  # authority: algebra, the same output as before
    before = model(X)
    with pytest.raises(RuntimeError, match="on purpose"), edit(model, "*", explode):
        model(X)
    assert all(tap.listener is None for tap in taps(model).values())
    torch.testing.assert_close(model(X), before, atol=0, rtol=0)


def test_threads_listen_to_their_own_tensors(model):
    """Authority: the output of one thread. B begins while A listens, and listens on after A."""
    plain, both, a_is_done = model(X), Barrier(2), Event()

    def listen(factor):
        with edit(model, "output", lambda path, x: factor * x), record(model, "output") as seen:
            both.wait()
            outputs = [model(X) for _ in range(20)]
            both.wait()
            if factor == 3:
                a_is_done.wait()
            outputs.append(model(X))
        if factor == 2:
            a_is_done.set()
        return outputs, seen["output"]

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(listen, (2, 3)))
    for factor, (outputs, seen) in zip((2, 3), results, strict=True):
        assert len(seen) == 21
        for output, each in zip(outputs, seen, strict=True):
            torch.testing.assert_close(output, factor * plain, atol=0, rtol=0)
            torch.testing.assert_close(each, output, atol=0, rtol=0)
    assert all(tap.listener is None for tap in taps(model).values())


def explode(path, x):
    raise RuntimeError("on purpose")


def test_a_pattern_without_a_match_is_an_error_that_names_the_taps(model):
    with (
        pytest.raises(UsageError, match=r"no tap matches 'weights'.*output, state"),
        record(model, "weights"),
    ):
        pass


def test_a_copy_is_not_listened_to(model):  # authority: the copy's own record
    with record(model) as seen:
        copied = copy.deepcopy(model)
        copied(X)
    assert seen == {}
    with record(copied) as reference:
        copied(X)
    assert sorted(reference) == sorted(taps(model))


def test_a_compiled_model_is_listened_to_through_its_own_module(model):
    class Compiled(nn.Module):  # as torch.compile wraps: the real one takes seconds to make
        def __init__(self, inner):
            super().__init__()
            self._orig_mod = inner

    with record(Compiled(model)) as seen:
        model(X)
    assert sorted(seen) == sorted(taps(model))


def test_gradients_pass_through(
    model,
):  # authority: an idle tap returns the very tensor it is given
    tap = Tap()
    assert tap(X) is X
    x = X.clone().requires_grad_()
    with edit(model, "output", lambda path, out: 2 * out):
        (doubled,) = torch.autograd.grad(model(x).sum(), x)
    (plain,) = torch.autograd.grad(model(x).sum(), x)
    torch.testing.assert_close(doubled, 2 * plain, atol=0, rtol=0)
