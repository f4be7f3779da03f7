"""Scores of classified texts.  Authority: scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn

from pellucid.errors import DataError
from pellucid.metrics.classification import (
    class_scores,
    confusion_matrix,
    score_label_sets,
    score_labels,
    set_scores,
)

RNG = np.random.default_rng(0)
CASES = {
    "random": (RNG.integers(0, 5, 400), RNG.integers(0, 5, 400)),
    "mostly right": (np.where(RNG.random(300) < 0.8, 2, 0), np.full(300, 2)),
    "one text": (np.array([0]), np.array([0])),
    "one text, wrong": (np.array([3]), np.array([0])),
    "all wrong": (np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0])),
    "always one label": (np.zeros(50, int), RNG.integers(0, 3, 50)),
    "gold is constant": (RNG.integers(0, 3, 50), np.ones(50, int)),
    "labels in between never occur": (np.array([0, 7, 7, 9]), np.array([0, 7, 9, 9])),
    "rare": (np.array([0] * 99 + [1]), np.array([0] * 98 + [1, 1])),
    "large": (RNG.integers(0, 2, 300_000), RNG.integers(0, 2, 300_000)),
}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, at ratios over nothing
        yield


@pytest.mark.parametrize("case", CASES)
def test_one_label(case):
    predicted, gold = CASES[case]
    actual = score_labels(predicted, gold)
    assert actual.accuracy == pytest.approx(sklearn.accuracy_score(gold, predicted), abs=1e-12)
    for name, average in ((actual.macro_f1, "macro"), (actual.micro_f1, "micro")):
        assert name == pytest.approx(sklearn.f1_score(gold, predicted, average=average), abs=1e-12)
    assert actual.mcc == pytest.approx(sklearn.matthews_corrcoef(gold, predicted), abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_each_class(case):
    predicted, gold = CASES[case]
    ids = list(range(10))
    confusion = confusion_matrix(predicted, gold, 10)
    assert np.array_equal(confusion, sklearn.confusion_matrix(gold, predicted, labels=ids))
    expected = sklearn.precision_recall_fscore_support(gold, predicted, labels=ids)
    assert np.allclose(np.array(class_scores(confusion)).T, expected, atol=1e-12)


SETS = {
    "random": (RNG.random((200, 6)) < 0.3, RNG.random((200, 6)) < 0.3),
    "a label never": (np.zeros((20, 3), bool), RNG.random((20, 3)) < 0.5),
    "no label at all": (np.zeros((5, 2), bool), np.zeros((5, 2), bool)),
    "all of them": (np.ones((5, 2), bool), np.ones((5, 2), bool)),
    "one column": (RNG.random((30, 1)) < 0.5, RNG.random((30, 1)) < 0.5),
}


@pytest.mark.parametrize("case", SETS)
def test_several_labels(case):
    predicted, gold = SETS[case]
    actual = score_label_sets(predicted, gold)
    whole = (predicted == gold).all(1).mean()
    assert actual.accuracy == pytest.approx(whole, abs=1e-12)
    if gold.shape[1] > 1:  # scikit-learn reads one column as one label, with two classes
        for name, average in ((actual.macro_f1, "macro"), (actual.micro_f1, "micro")):
            expected = sklearn.f1_score(gold, predicted, average=average)
            assert name == pytest.approx(expected, abs=1e-12)
        each = sklearn.precision_recall_fscore_support(gold, predicted)
        assert np.allclose(np.array(set_scores(predicted, gold)).T, each, atol=1e-12)
    mcc = sklearn.matthews_corrcoef(gold.ravel(), predicted.ravel())
    assert actual.mcc == pytest.approx(mcc, abs=1e-12)


def test_nothing_to_score():
    with pytest.raises(DataError, match="the test set is empty"):
        score_labels(np.zeros(0, int), np.zeros(0, int))
    with pytest.raises(DataError, match="each text needs both"):
        score_labels(np.zeros(3, int), np.zeros(2, int))
