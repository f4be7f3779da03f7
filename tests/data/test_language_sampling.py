"""Other shares of languages. Authority: Liu et al. 2020, equation 1, and counts by hand."""

import numpy as np
import pytest

from pellucid.data.language_sampling import SampledExamples, sampling_factors

SIZES = np.array([80_000.0, 15_000.0, 0.0, 5_000.0])


class Numbered:
    """Examples that are their own numbers."""

    def __init__(self, lengths):
        self.lengths = np.array(lengths)[:, None]

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        return index

    def origin(self, index):
        return f"file:{index + 1}"


def test_factors_are_those_of_the_paper():
    factors = sampling_factors(SIZES, 0.7)
    shares = SIZES / SIZES.sum()
    normalizer = 0.8**0.7 + 0.15**0.7 + 0.05**0.7
    for factor, p in zip(factors, shares, strict=True):
        assert factor == pytest.approx(p**0.7 / normalizer / p if p else 0.0)
    assert (factors * SIZES).sum() == pytest.approx(SIZES.sum())  # as many tokens as before
    assert sampling_factors(SIZES, 1.0) == pytest.approx([1, 1, 0, 1])
    assert sampling_factors(SIZES, 0.0) * SIZES == pytest.approx(
        [100_000 / 3, 100_000 / 3, 0, 100_000 / 3]
    )


def sampled(factors=(0.3, 2.5)):
    rng = np.random.default_rng(0)
    lengths = np.concatenate([rng.integers(3, 40, 200), rng.integers(3, 40, 10)])
    groups = np.array([0] * 200 + [1] * 10)
    return SampledExamples(Numbered(lengths), groups, factors), lengths


def test_each_epoch_has_its_share_of_each_group():
    view, lengths = sampled()
    assert len(view) == 60 + 25
    seen = np.zeros(210)
    for seed in range(400):
        drawn = [view.draw(i, seed) for i in range(len(view))]
        assert sum(i < 200 for i in drawn) == 60
        assert (lengths[drawn] <= view.lengths[:, 0]).all()  # batches are sized by these
        assert len(set(drawn[:60])) == 60
        seen += np.bincount(drawn, minlength=210)
    # All of the large group are drawn, with chances of 1/3 or 1/4: 200 in 60 ranges.
    assert seen[:200].min() > 400 / 4 * 0.6
    assert seen[:200].max() < 400 / 3 * 1.4
    assert set(seen[200:] / 400) == {2.0, 3.0}
    assert view.lengths[:, 0].sum() < 1.05 * (lengths[:200].sum() * 0.3 + lengths[200:].sum() * 2.5)


def test_a_factor_of_one_has_each_example_once():
    view, lengths = sampled((1.0, 1.0))
    assert sorted(view.draw(i, 5) for i in range(len(view))) == list(range(210))
    assert [view[i] for i in range(210)] == [view.draw(i, 9) for i in range(210)]
    assert view.lengths[:, 0].tolist() == [lengths[view[i]] for i in range(210)]


def test_a_range_names_the_origin_of_one_of_its_examples():
    view, _ = sampled()
    assert view.origin(0) in {f"file:{view[0] + 1} or 2 similar texts"}
    assert view.origin(70) == f"file:{view[70] + 1}"
