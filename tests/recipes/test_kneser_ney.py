"""The n-gram baseline of the language models."""

import importlib.util
import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "recipes" / "kneser_ney.py"
spec = importlib.util.spec_from_file_location("kneser_ney", PATH)
assert spec is not None
assert spec.loader is not None
kn = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kn)

DISCOUNTS = (0.4, 0.7, 0.9)


def texts(seed, n=12):
    rng = random.Random(seed)
    return ["".join(rng.choices("abcd", [8, 4, 2, 1], k=rng.randint(0, 6))) for _ in range(n)]


class BruteForce:
    """Chen and Goodman's definition, by counting n-grams in dictionaries."""

    def __init__(self, rows, order):
        self.order = order
        self.grams = [Counter() for _ in range(order + 1)]
        for row in rows:
            for n, i in itertools.product(range(1, order + 1), range(len(row))):
                if i >= 1 and i - n + 1 >= 0:  # a start is not predicted
                    self.grams[n][tuple(row[i - n + 1 : i + 1])] += 1

    def count(self, gram):
        if len(gram) == self.order or gram[0] == kn.START:
            return self.grams[len(gram)][gram]
        return sum(1 for longer in self.grams[len(gram) + 1] if longer[1:] == gram)

    def probability(self, context, token, n_ids):
        if context is None:
            return 1 / (n_ids - 1)
        lower = self.probability(context[1:] if context else None, token, n_ids)
        counts = [self.count((*context, i)) for i in range(n_ids) if i != kn.START]
        if not sum(counts):
            return lower
        taken = [0.0, *DISCOUNTS]
        mine = self.count((*context, token))
        left = sum(taken[min(count, 3)] for count in counts)
        return (mine - taken[min(mine, 3)] + left * lower) / sum(counts)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_definition(order):  # authority: brute force
    vocabulary = kn.Vocabulary(texts(1), min_count=2)
    ids, n_ids = vocabulary.encode(texts(1)), len(vocabulary)
    model = kn.KneserNey(ids, n_ids, order, DISCOUNTS)
    rows = [[int(i) for i in vocabulary.encode([text])] for text in texts(1)]
    brute = BruteForce(rows, order)
    for test in (*texts(2), "dddd", "zab", ""):
        row = [int(i) for i in vocabulary.encode([test])]
        expected = [
            brute.probability(tuple(row[max(0, i - order + 1) : i]), row[i], n_ids)
            for i in range(1, len(row))
        ]
        assert model.probabilities(np.array(row)) == pytest.approx(expected, abs=1e-12)


def test_probabilities_sum_to_one():  # authority: algebra
    vocabulary = kn.Vocabulary(texts(3, 60), min_count=1)
    ids, n_ids = vocabulary.encode(texts(3, 60)), len(vocabulary)
    model = kn.KneserNey(ids, n_ids, 4)
    for context in ("", "a", "ab", "dcb", "abad", "zz"):
        before = vocabulary.encode([context])[:-1]
        each = [
            model.probabilities(np.append(before, i))[-1] for i in range(n_ids) if i != kn.START
        ]
        assert sum(each) == pytest.approx(1, abs=1e-12)


def test_discounts_are_estimated_from_counts_of_counts():  # authority: by hand
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 3])
    # Y = 8 / (8 + 2 * 4) = 1/2
    assert kn.estimate_discounts(counts) == pytest.approx(
        [1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2]
    )
