"""R-Drop, against Liang et al. 2021, equations 2 to 4, by torch's functions in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pellucid.tasks.protocol import combine_terms
from pellucid.tasks.r_drop import loss_terms, r_drop_count

WEIGHT = 3.0
N, V = 5, 4


def mutual_divergence(p, q):
    """Equation 2: half of both divergences, of probabilities (N, V), summed."""
    return ((p * (p / q).log()).sum() + (q * (q / p).log()).sum()) / 2


def expected_loss(logits, others, loss, probabilities):
    """Equation 4 with the mean instead of the sum of both passes, so half of it."""
    nll = loss(logits) + loss(others)
    divergence = mutual_divergence(probabilities(logits), probabilities(others))
    return (nll + WEIGHT * divergence) / 2


@pytest.mark.parametrize("are_binary", [False, True])
def test_loss_and_gradients(are_binary):
    torch.manual_seed(0)
    passes = list(torch.randn(2, N, V, dtype=torch.float64, requires_grad=True).unbind())
    if are_binary:
        labels = torch.randint(2, (N, V)).double()

        def loss(x):
            return F.binary_cross_entropy_with_logits(x, labels, reduction="sum")

        def probabilities(x):
            return torch.stack([1 - x.sigmoid(), x.sigmoid()], -1)

        n = N * V
    else:
        classes = torch.randint(V, (N,))

        def loss(x):
            return F.cross_entropy(x, classes, reduction="sum")

        def probabilities(x):
            return x.softmax(-1)

        n = N
    scores = iter(passes)
    terms = loss_terms("task", lambda: next(scores), loss, WEIGHT, are_binary)
    actual = combine_terms(terms, {"task": n, **r_drop_count(WEIGHT, n)})
    expected = expected_loss(*passes, loss, probabilities) / n
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0)
    for gradient, reference in zip(
        torch.autograd.grad(actual, passes), torch.autograd.grad(expected, passes), strict=True
    ):
        torch.testing.assert_close(gradient, reference, atol=1e-12, rtol=0)


def test_passes_differ_by_dropout_alone():
    torch.manual_seed(0)
    x, layer = torch.randn(N, 8), nn.Sequential(nn.Dropout(0.5), nn.Linear(8, V))

    def terms(weight):
        return loss_terms("task", lambda: layer(x), torch.Tensor.sum, weight)

    assert terms(WEIGHT)["r_drop"].sum > 0
    layer.eval()
    assert terms(WEIGHT)["r_drop"].sum == 0
    assert terms(WEIGHT)["task"].sum == terms(0.0)["task"].sum
    assert set(terms(0.0)) == {"task"}
    assert r_drop_count(0.0, N) == {}
