import math

import pytest
import torch
import torch.nn.functional as F

from nn.samples import max_difference
from pellucid.nn import losses
from pellucid.nn.losses import (
    cross_entropy,
    divergence,
    linear_cross_entropy,
    perplexity,
    symmetric_divergence,
)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_the_formula(smoothing):  # authority: Szegedy et al. 2016, section 7, by hand in float64
    logits, targets = torch.randn(6, 5), torch.tensor([0, 4, 2, 2, 1, 3])
    loss = cross_entropy(logits, targets, smoothing)
    exact = 0.0
    for row, target in zip(logits.double(), targets, strict=True):
        log_sum = math.log(sum(math.exp(score) for score in row))
        for v, score in enumerate(row):
            expected_values = smoothing / 5 + (1 - smoothing) * (v == int(target))
            exact -= expected_values * (float(score) - log_sum)
    assert float(loss) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_extreme_logits(smoothing):  # authority: torch's own loss, in float64
    logits = torch.randn(6, 5)
    logits[1] += 1000  # an offset, which changes nothing
    logits[2, 3], logits[3, 2] = 90, -300  # all probability on one word, and none
    targets = torch.tensor([0, 4, 3, 2, 1, 3])
    if not smoothing:
        logits[5, 0] = float("-inf")  # a position that cannot be chosen
    exact = F.cross_entropy(logits.double(), targets, reduction="none", label_smoothing=smoothing)
    for row in range(6):
        part = slice(row, row + 1)
        loss = cross_entropy(logits[part], targets[part], smoothing)
        assert float(loss) == pytest.approx(float(exact[row]), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("chunk", [10, 1000])  # two rows at once, and all
def test_gradients(monkeypatch, chunk):  # authority: the formula; of a sum, additivity
    monkeypatch.setattr(losses, "CHUNK", chunk)
    logits = torch.randn(4, 5, requires_grad=True)
    targets = torch.tensor([0, 4, 2, 2])
    whole = cross_entropy(logits, targets, 0.1)
    parts = cross_entropy(logits[:1], targets[:1], 0.1) + cross_entropy(
        logits[1:], targets[1:], 0.1
    )
    assert max_difference(whole, parts) <= 1e-5
    (grad,) = torch.autograd.grad(whole, logits)
    exact = logits.detach().softmax(-1) - 0.9 * torch.eye(5)[targets] - 0.1 / 5
    assert max_difference(grad, exact) <= 1e-6


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [14, 30, 1000])  # two rows at once, four, all
def test_linear_cross_entropy_is_that_of_torch(monkeypatch, has_bias, smoothing, chunk):
    """Authority: torch.nn.functional in float64."""
    monkeypatch.setattr(losses, "FUSED_CHUNK", chunk)
    torch.manual_seed(2)
    x, weight, bias = torch.randn(9, 4), torch.randn(7, 4), torch.randn(7)
    inputs = [each.double().requires_grad_() for each in (x, weight, bias)[: 2 + has_bias]]
    targets = torch.randint(7, (9,))
    expected = F.cross_entropy(
        F.linear(*inputs), targets, reduction="sum", label_smoothing=smoothing
    )
    loss = linear_cross_entropy(
        inputs[0], inputs[1], inputs[2] if has_bias else None, targets, smoothing
    )
    torch.testing.assert_close(loss, expected, atol=1e-9, rtol=0)
    gradients = torch.autograd.grad(loss * 3, inputs)
    expected_gradients = torch.autograd.grad(expected * 3, inputs)
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-9, rtol=0)
    frozen = [each.detach() for each in inputs[1:]] + [None] * (not has_bias)
    loss = linear_cross_entropy(inputs[0], *frozen, targets, smoothing)
    (gradient,) = torch.autograd.grad(loss * 3, inputs[0])
    assert torch.equal(gradient, gradients[0])


def test_linear_cross_entropy_in_bfloat16(monkeypatch):
    """Authority: the same in float32; products of bfloat16 have three digits."""
    monkeypatch.setattr(losses, "FUSED_CHUNK", 1000)
    torch.manual_seed(3)
    x = torch.randn(64, 32, requires_grad=True)
    weight = (torch.randn(50, 32) / 8).requires_grad_()
    targets = torch.randint(50, (64,))
    exact = F.cross_entropy(F.linear(x, weight), targets, reduction="sum")
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(x, weight, None, targets)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(exact), rel=1e-3)
    exact_gradients = torch.autograd.grad(exact, (x, weight))
    for grad, expected in zip(torch.autograd.grad(loss, (x, weight)), exact_gradients, strict=True):
        assert grad.dtype == torch.float32
        assert max_difference(grad, expected) <= 0.02 * float(expected.abs().max())


def test_half_precision_is_summed_in_float32():
    logits, targets = torch.randn(400, 50).bfloat16(), torch.zeros(400, dtype=torch.long)
    loss = cross_entropy(logits, targets)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(cross_entropy(logits.float(), targets)), rel=1e-6)


def test_perplexity():  # authority: its definition
    assert perplexity(2 * math.log(7), 2) == pytest.approx(7)
    assert perplexity(0.0, 0) == 1.0
    assert perplexity(1e6, 1) == math.inf


def test_divergence_is_that_of_torch(monkeypatch):  # authority: torch.nn.functional.kl_div
    monkeypatch.setattr(losses, "CHUNK", 256 * 7)  # three times 256 rows at most
    torch.manual_seed(1)
    logits = torch.randn(600, 7, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(600, 7, dtype=torch.float64)
    expected_values = 9 * F.kl_div(
        (logits / 3).log_softmax(-1), (teacher / 3).softmax(-1), reduction="sum"
    )
    actual = divergence(logits, teacher, 3.0)
    torch.testing.assert_close(actual, expected_values, atol=1e-9, rtol=0)
    (gradient,) = torch.autograd.grad(actual * 2, logits)
    (expected,) = torch.autograd.grad(expected_values * 2, logits)
    torch.testing.assert_close(gradient, expected, atol=1e-9, rtol=0)
    assert float(divergence(logits.detach(), logits.detach(), 2.0)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("chunk", [2 * 7, 100 * 7])  # two rows at once, and all
def test_symmetric_divergence_is_that_of_torch(monkeypatch, chunk):
    # authority: torch.nn.functional.kl_div and autograd in float64
    monkeypatch.setattr(losses, "CHUNK", chunk)
    torch.manual_seed(1)
    first, second = torch.randn(2, 5, 7, dtype=torch.float64, requires_grad=True)
    log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
    expected_value = F.kl_div(log_q, log_p, reduction="sum", log_target=True) + F.kl_div(
        log_p, log_q, reduction="sum", log_target=True
    )
    actual = symmetric_divergence(first, second)
    torch.testing.assert_close(actual, expected_value, atol=1e-12, rtol=0)
    expected = torch.autograd.grad(expected_value * 2, (first, second))
    for gradient, other in zip(
        torch.autograd.grad(actual * 2, (first, second)), expected, strict=True
    ):
        torch.testing.assert_close(gradient, other, atol=1e-12, rtol=0)
    assert float(symmetric_divergence(first.detach(), first.detach())) == 0.0
