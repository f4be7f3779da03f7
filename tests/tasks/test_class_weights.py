"""Weights of labels. Authority: scikit-learn where it is installed, and arithmetic."""

from collections import Counter

import numpy as np
import pytest
import torch

from pellucid.tasks.class_weights import (
    binary_loss,
    binary_weights,
    class_weights,
    label_loss,
)

LABELS = ("a", "b", "c")


def test_balanced_weights_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    y = np.random.default_rng(0).choice(LABELS, 200, p=(0.8, 0.15, 0.05))
    expected = sklearn.compute_class_weight("balanced", classes=np.array(LABELS), y=y)
    weights = class_weights("balanced", LABELS, Counter(y.tolist()))
    assert weights is not None
    assert torch.allclose(weights, torch.tensor(expected, dtype=torch.float32))


def test_balanced_labels_have_equal_sums_and_mean_one():  # authority: algebra
    counts = {"a": 60, "c": 20}
    weights = class_weights("balanced", LABELS, counts)
    assert weights is not None
    assert weights.tolist() == pytest.approx([40 / 60, 1, 2])
    assert (60 * weights[0] + 20 * weights[2]) / 80 == pytest.approx(1)
    assert class_weights("none", LABELS, counts) is None


def test_the_loss_is_the_weighted_sum():  # authority: a loop
    torch.manual_seed(0)
    logits, labels = torch.randn(7, 3), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    weights = torch.tensor([0.5, 2.0, 3.0])
    by_hand = sum(-weights[y] * row.log_softmax(-1)[y] for row, y in zip(logits, labels))  # noqa: B905
    loss = label_loss(logits, labels, weights)
    assert loss.item() == pytest.approx(float(by_hand), abs=1e-5)
    ones = label_loss(logits, labels, torch.ones(3))
    assert ones.item() == pytest.approx(label_loss(logits, labels).item(), abs=1e-5)


def test_decisions_are_weighted_as_problems_of_two_classes():  # authority: `class_weights`
    counts = {"a": 10, "b": 100}
    weights = binary_weights("balanced", LABELS, counts, 100)
    assert weights is not None
    assert weights.T.tolist()[1:] == [[1, 1], [1, 1]]
    two = class_weights("balanced", ("no", "yes"), {"no": 90, "yes": 10})
    assert two is not None
    assert torch.allclose(weights[:, 0], two)
    assert binary_weights("none", LABELS, counts, 100) is None
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3), (torch.randn(5, 3) > 0).float()
    by_hand = sum(
        -(weights[int(y), c] * torch.nn.functional.logsigmoid(x if y else -x))
        for xs, ys in zip(logits, labels, strict=True)
        for c, (x, y) in enumerate(zip(xs, ys, strict=True))
    )
    assert binary_loss(logits, labels, weights).item() == pytest.approx(by_hand.item(), abs=1e-5)
    ones = binary_loss(logits, labels, torch.ones(2, 3))
    assert ones.item() == pytest.approx(binary_loss(logits, labels).item(), abs=1e-5)
