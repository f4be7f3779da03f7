"""Authority: what `measure` promises; the speeds themselves are the machine's own."""

import time

import pytest
import torch

from pellucid.nn import kernel_speeds, packed_linear
from pellucid.nn.attention import Attention
from pellucid.nn.kernel_choice import FUSED, MATMUL, choose_by_speed
from pellucid.nn.kernel_speeds import TRAINING_PRODUCTS, measure


@pytest.fixture
def small(monkeypatch):
    """Shapes that take no time."""
    monkeypatch.setattr(kernel_speeds, "TRAINING_SHAPES", ((8, 4, 4), (4, 8, 4)))
    monkeypatch.setattr(kernel_speeds, "ATTENTION_SHAPES", ((2, 4, 2, 4),))
    monkeypatch.setattr(kernel_speeds, "DECODING_SHAPE", (4, 8, 8))


def crawl(x, weight, bias):
    """A product a thousand times slower than torch's."""
    end = time.thread_time() + 0.002
    while time.thread_time() < end:
        pass
    return torch.nn.functional.linear(x, weight, bias)


def test_each_candidate_has_as_many_rounds(small):
    threads = torch.get_num_threads()
    state = torch.get_rng_state()
    with torch.inference_mode():
        speeds = measure(0.02)
    assert speeds.keys() >= {"fp32", "matmul attention", "fused attention"}
    assert (packed_linear.can_pack("fp32")) == ("packed fp32" in speeds)
    assert len({len(rounds) for rounds in speeds.values()}) == 1
    assert all(speed >= 0 for rounds in speeds.values() for speed in rounds)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_the_budget_is_kept(small):  # one round that does not fit is never begun
    measure(0.0)  # what torch loads at its first backward pass
    start = time.thread_time()
    speeds = measure(0.2)
    assert time.thread_time() - start <= 0.4  # the trial and noise
    assert len(speeds["fp32"]) > 10


def test_what_fails_or_crawls_is_left_out(small, monkeypatch):
    def fail(x, weight, bias):
        raise RuntimeError("could not create a primitive")

    monkeypatch.setitem(TRAINING_PRODUCTS, "onednn", fail)
    monkeypatch.setitem(TRAINING_PRODUCTS, "bf16", crawl)
    assert not measure(0.0).keys() & {"onednn", "bf16"}


def test_the_default_is_measured_however_slow(small, monkeypatch):
    monkeypatch.setitem(TRAINING_PRODUCTS, "fp32", crawl)
    monkeypatch.setitem(TRAINING_PRODUCTS, "bf16", torch.nn.functional.linear)
    assert choose_by_speed(measure(0.0)).bf16


def test_operations_are_counted():  # authority: 3 products of 2 n m k operations
    candidate = kernel_speeds._training(TRAINING_PRODUCTS["fp32"], ((3, 4, 5), (2, 2, 2)))
    assert candidate.operations == 3 * 2 * (3 * 4 * 5 + 2 * 2 * 2)
    outputs, *_ = [product() for product in candidate.products]
    assert [tuple(grad.shape) for grad in outputs] == [(3, 4), (5, 4), (5,)]


@pytest.mark.parametrize("name", [MATMUL, FUSED])
def test_attention_is_computed_as_it_is_named(small, monkeypatch, name):
    calls = []
    explicit = Attention._attend_explicit
    monkeypatch.setattr(Attention, "_attend_explicit", lambda *a: calls.append(1) or explicit(*a))
    kernel_speeds._attention_candidates()[name].speed()
    assert len(calls) == (name == MATMUL)
