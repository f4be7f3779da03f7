"""Which rows are read together.  Authority: brute force over the words of `batches`."""

import random

import pytest

from pellucid.inference import batches as module
from pellucid.inference.batches import batches


@pytest.mark.parametrize("width", [1, 7, 300, 2000])
def test_batches_hold_each_row_once_and_as_many_as_fit(width, monkeypatch):
    monkeypatch.setattr(module, "MOST_LOGITS", 1000)
    rng = random.Random(width)
    lengths = [(rng.randrange(1, 30), rng.randrange(9)) for _ in range(200)]
    found = list(batches(lengths, width))
    order = [i for chosen in found for i in chosen]
    assert sorted(order) == list(range(200))
    assert [lengths[i] for i in order] == sorted(lengths)
    for chosen, after in zip(found, [*found[1:], []], strict=True):
        longest = max(lengths[i][0] for i in chosen)
        assert len(chosen) == 1 or len(chosen) * longest * width <= 1000
        assert not after or (len(chosen) + 1) * lengths[after[0]][0] * width > 1000
    assert list(batches([], width)) == []
