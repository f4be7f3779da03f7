"""What the order of tokens changes.

Authority: algebra (without positions, self-attention commutes with permutations of the tokens;
Vaswani et al. 2017, section 3.5) and torch's own encoder, which knows no positions.
"""

import numpy as np
import pytest
import torch

import pellucid
from pellucid.errors import UsageError
from pellucid.explain.order import can_reorder, find_order, measure_order, turn_around
from pellucid.explain.rows import Writing, read_rows
from pellucid.explain.trace import TraceSpec, trace_rows


@pytest.fixture(scope="module")
def model():
    return pellucid.load("zh-en", device="cpu")


@pytest.fixture(scope="module")
def rows(model):
    return read_rows(model.bundle, "猫追狗", Writing())


def test_without_positions_the_order_is_lost(model, rows):
    effect = measure_order(model.bundle, rows, turn_around(rows), has_positions=False)
    assert effect.largest < 1e-4
    assert np.abs(effect.distances).max() < 1e-9
    assert effect.distances.shape == (len(effect.names), len(rows.source.tokens))


def test_with_positions_it_is_not(model, rows):
    other = read_rows(model.bundle, "狗追猫", Writing())
    assert find_order(rows, other) == turn_around(rows)
    effect = measure_order(model.bundle, rows, turn_around(rows), has_positions=True)
    pieces = [token.piece for token in rows.source.tokens]
    assert [pieces[i] for i in effect.order] == [token.piece for token in other.source.tokens]
    # The second run is the trace of the other text.
    spec = TraceSpec(parts=("residuals",))
    first, second = (trace_rows(model.bundle, each, spec) for each in (rows, other))
    name = effect.names[-1]
    for place, token in enumerate(effect.order):
        x, y = first[name][token].astype(np.float64), second[name][place].astype(np.float64)
        cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
        assert effect.distances[-1, token] == pytest.approx(1 - cosine, abs=1e-6)
    assert effect.distances[0, 1] < 1e-9  # the middle keeps its position
    assert effect.distances[-1].min() > 1e-5


def test_torchs_encoder_forgets_the_order_too():
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
    x, order = torch.randn(1, 4, 16), [3, 1, 0, 2]
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])


def test_a_text_without_a_direction_is_refused(model):
    rows = read_rows(model.bundle, "狗", Writing())
    assert not can_reorder(model.bundle, rows)
    with pytest.raises(UsageError, match="same order"):
        measure_order(model.bundle, rows, turn_around(rows), has_positions=True)


@pytest.mark.parametrize(
    ("other", "message"),
    [("狗追狗", "Only the first has '猫'"), ("猫追狗和鱼", "Only the second has '和'")],
)
def test_other_words_are_no_other_order(model, rows, other, message):
    with pytest.raises(UsageError, match=message):
        find_order(rows, read_rows(model.bundle, other, Writing()))
