"""CoSENT.  Authority: the sum over all pairs, in float64, and its limits."""

import math

import pytest
import torch

from pellucid.nn.ranking import SCALE, cosent


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_the_sum_over_all_pairs(n):
    rng = torch.Generator().manual_seed(n)
    cosines = torch.rand(n, generator=rng, dtype=torch.float64) * 2 - 1
    scores = torch.randint(0, 4, (n,), generator=rng).double()
    total = sum(
        math.exp(SCALE * (float(cosines[i]) - float(cosines[j])))
        for i in range(n)
        for j in range(n)
        if scores[i] < scores[j]
    )
    assert float(cosent(cosines, scores)) == pytest.approx(math.log1p(total), abs=1e-9)


def test_only_the_order_of_scores_matters():
    cosines = torch.tensor([0.1, -0.4, 0.9, 0.3])
    scores = torch.tensor([1.0, 0.0, 5.0, 1.0])
    loss = cosent(cosines, scores)
    assert torch.equal(loss, cosent(cosines, scores * 100 - 3))
    assert float(cosent(cosines, torch.zeros(4))) == 0.0
    assert float(cosent(100 * scores, scores)) == 0.0  # far apart and in order
    torch.autograd.gradcheck(lambda c: cosent(c, scores), cosines.double().requires_grad_())
    assert cosent(cosines.bfloat16(), scores).dtype == torch.float32
