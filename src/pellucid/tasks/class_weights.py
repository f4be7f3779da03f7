"""Weights of labels in a loss, so that rare labels count as much as frequent ones."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.config.tasks.base import ClassWeights
from pellucid.nn.losses import cross_entropy


def class_weights(
    kind: ClassWeights, labels: Sequence[str], counts: Mapping[str, int]
) -> Tensor | None:
    """Return the weight of each label, (C,), or None if `kind` is none.

    balanced: N / (C n) for a label that occurs n times among N labels, of which C occur (King and
    Zeng 2001, as in scikit-learn). The mean over the training data is 1. A label that does not
    occur has weight 1.
    counts: label -> occurrences in the training data, as `TaskInputs.label_counts` has them.
    """
    if kind == "none":
        return None
    occurring = [n for n in counts.values() if n]
    mean = sum(occurring) / max(len(occurring), 1)
    return torch.tensor([mean / counts[label] if counts.get(label) else 1.0 for label in labels])


def binary_weights(
    kind: ClassWeights, labels: Sequence[str], counts: Mapping[str, int], n_records: int
) -> Tensor | None:
    """Return the weights of texts without and with each label, (2, C), or None if `kind` is none.

    balanced: the weights of `class_weights` for each label as a problem of two classes. A label
    that no text or every text has is not weighted.
    counts, n_records: as `TaskInputs` has them.
    """
    if kind == "none":
        return None
    rows = []
    for label in labels:
        n = counts.get(label, 0)
        both = 0 < n < n_records
        rows.append((n_records / (2 * (n_records - n)), n_records / (2 * n)) if both else (1, 1))
    return torch.tensor(rows, dtype=torch.float32).T


def binary_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the binary cross-entropy of all decisions, weighted and summed: a scalar.

    logits, labels (N, C), 1 = the text has the label; weights (2, C).
    """
    losses = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")  # (N, C)
    if weights is None:
        return losses.sum()
    absent, present = weights.to(logits.device)  # (C,), (C,)
    return (losses * torch.where(labels > 0, present, absent)).sum()


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the cross-entropy of labels, each times the weight of its label, summed: a scalar.

    logits (N, C), labels (N,), weights (C,).
    """
    if weights is None:
        return cross_entropy(logits, labels)
    weights = weights.to(logits.device)
    losses = F.cross_entropy(logits.float(), labels, reduction="none")  # (N,)
    return (losses * weights[labels]).sum()
