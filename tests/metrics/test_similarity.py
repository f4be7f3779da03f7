"""Correlations.  Authority: scipy."""

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from pellucid.errors import DataError
from pellucid.metrics.similarity import pearson, rank, spearman

RNG = np.random.default_rng(0)
CASES = {
    "random": (RNG.normal(size=500), RNG.normal(size=500)),
    "related": (np.arange(50.0), np.arange(50.0) ** 3 + RNG.normal(size=50)),
    "many ties": (RNG.integers(0, 4, 300).astype(float), RNG.integers(0, 6, 300) / 5),
    "two": (np.array([1.0, 2.0]), np.array([5.0, 3.0])),
    "reversed": (np.arange(9.0), -np.arange(9.0)),
    "float32, far from 0": (
        (1e4 + RNG.random(200)).astype(np.float32),
        RNG.integers(0, 3, 200).astype(np.float32),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equal_to_scipys(case):
    x, y = CASES[case]
    assert pearson(x, y) == pytest.approx(pearsonr(x.astype(float), y.astype(float))[0], abs=1e-9)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y)[0], abs=1e-12)
    assert np.array_equal(rank(x), rankdata(x))


def test_without_spread_there_is_no_correlation():
    constant, varied = np.ones(5), np.arange(5.0)
    assert pearson(constant, varied) == spearman(varied, constant) == 0.0
    for x, y in ((varied, varied[:3]), (varied[:0], varied[:0])):
        with pytest.raises(DataError, match="gold ones: each pair of texts needs both"):
            pearson(x, y)
