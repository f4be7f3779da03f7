"""How often labels follow each other in the training data, as the first scores of a CRF."""

import numpy as np
import torch
from torch import Tensor

from pellucid.data.examples import Examples
from pellucid.nn.linear_chain import ChainScores


def score_transitions(train: Examples, n_labels: int, column: int) -> ChainScores:
    """Return the logarithm of each count over the count that chance gives, each plus one.

    column: of the labels in an example. The counts are of labels at the start, of pairs of
    neighbors, and of labels at the end. Chance: labels are independent, with their frequencies.
    """
    counts = np.zeros((n_labels + 1, n_labels + 1))  # from, to; the last one is outside
    for i in range(len(train)):
        labels = np.concatenate([[n_labels], train[i][column], [n_labels]])
        np.add.at(counts, (labels[:-1], labels[1:]), 1)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / max(counts.sum(), 1)
    scores: Tensor = torch.from_numpy(np.log((counts + 1) / (expected + 1))).float()
    return ChainScores(scores[-1, :-1], scores[:-1, :-1], scores[:-1, -1])
