"""Details of an evaluation.  Authority: counting by hand."""

import numpy as np

from pellucid.metrics.details import Confusion


def test_rare_labels_are_counted_together():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (5, 5))
    counts[1] += 100
    counts[:, 3] += 50
    whole = Confusion(("a", "b", "c", "d", "e"), counts)
    assert whole.limit_labels(5) is whole
    small = whole.limit_labels(3)
    assert small.labels == ("b", "d", "3 others")
    rest = [0, 2, 4]
    for i, rows in enumerate(([1], [3], rest)):
        for j, columns in enumerate(([1], [3], rest)):
            assert small.counts[i, j] == counts[np.ix_(rows, columns)].sum()
