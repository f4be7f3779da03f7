"""Pairs of words for skip-gram. Authority: brute force, and the papers' formulas."""

import numpy as np
import pytest
from scipy.stats import chisquare

from pellucid.data.word_pairs import draw_negatives, draw_pairs, subsample


def test_pairs_are_those_of_the_drawn_distances():  # authority: brute force over all positions
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 50, n) for n in (1, 2, 7, 30, 4)]
    found = draw_pairs(texts, 4, np.random.default_rng(5))
    reach = np.random.default_rng(5).integers(1, 5, sum(map(len, texts)))
    wanted, start = [], 0
    for text in texts:
        for i in range(len(text)):
            for j in range(len(text)):
                if i != j and abs(i - j) <= reach[start + i]:
                    wanted.append((text[i], text[j]))
        start += len(text)
    assert sorted(zip(*found, strict=True)) == sorted(wanted)


def test_distances_are_uniform():  # Mikolov et al. 2013a, section 3.2
    text = np.arange(30_000)
    words, contexts = draw_pairs([text], 5, np.random.default_rng(1))
    counts = np.bincount(abs(words - contexts), minlength=6)[1:]
    expected = 2 * len(text) * np.array([5, 4, 3, 2, 1]) / 5  # reach >= d with (6 - d) / 5
    assert np.abs(counts / expected - 1).max() < 0.03


@pytest.mark.parametrize("threshold", [1e-3, 1e-5])
def test_frequent_words_are_left_out_as_in_the_paper(threshold):  # equation 5
    counts = np.array([500_000, 400_000, 99_500, 499, 1])
    n = 40_000
    for word, count in enumerate(counts):
        kept = subsample(np.full(n, word), counts, threshold, np.random.default_rng(word)).sum()
        share = min(1.0, (threshold / (count / counts.sum())) ** 0.5)
        assert abs(kept - share * n) <= 4 * (share * (1 - share) * n) ** 0.5 + 1
    assert subsample(np.zeros(9, int), counts, 0.0, np.random.default_rng(0)).all()


def test_negatives_have_the_power_of_counts():  # authority: chi-squared test, scipy
    counts = np.array([0, 900, 90, 0, 9, 1, 0])
    drawn = draw_negatives((20_000, 5), counts, 0.75, np.random.default_rng(0))
    assert drawn.shape == (20_000, 5)
    found = np.bincount(drawn.flatten(), minlength=7)
    seen = counts > 0
    assert found[~seen].sum() == 0
    weights = counts[seen] ** 0.75
    assert chisquare(found[seen], weights / weights.sum() * 100_000).pvalue > 0.01
