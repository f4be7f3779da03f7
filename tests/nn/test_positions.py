import pytest
import torch

from nn.reference import sinusoid
from nn.samples import max_difference, small
from pellucid.errors import UsageError
from pellucid.nn.positions import (
    DistanceBias,
    LearnedPositions,
    NoPositions,
    SinusoidalPositions,
    inclusive_sinusoids,
    sinusoids,
)

LIKE = torch.zeros(1)


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("d_model", [2, 16, 130])
def test_sinusoids_are_the_formula(halves, d_model):  # authority: section 3.5, in float64
    table = sinusoids(40, d_model, halves)
    exact = [[sinusoid(p, i, d_model, halves) for i in range(d_model)] for p in range(40)]
    assert table.dtype == torch.float32
    assert max_difference(table, torch.tensor(exact, dtype=torch.float64)) <= 1e-7


@pytest.mark.parametrize("position", [5_000, 100_000])
def test_far_sinusoids_are_exact_too(position):  # float32 angles would be off by 1e-3 there
    table = sinusoids(position + 1, 8)
    exact = [sinusoid(position, i, 8, False) for i in range(8)]
    assert max_difference(table[position], torch.tensor(exact, dtype=torch.float64)) <= 1e-7


@pytest.mark.parametrize("d_model", [4, 16, 130])
def test_inclusive_sinusoids_are_the_formula(d_model):  # authority: the formula, in float64
    table, half = inclusive_sinusoids(40, d_model), d_model // 2
    position = torch.arange(40, dtype=torch.float64)[:, None]
    rate = 10_000 ** -(torch.arange(half, dtype=torch.float64) / (half - 1))
    assert float(rate[-1]) == pytest.approx(1e-4)
    exact = torch.cat([(position * rate).sin(), (position * rate).cos()], 1)
    assert table.dtype == torch.float32
    assert max_difference(table, exact) <= 1e-5  # float32 angles, as in the published code


def test_sinusoids_from_a_first_position():
    positions = SinusoidalPositions(small(positions="sinusoid-real", first_position=2))
    assert torch.equal(positions(slice(0, 3), LIKE), inclusive_sinusoids(5, 16)[2:])
    assert torch.equal(positions(slice(300, 301), LIKE), inclusive_sinusoids(303, 16)[302:])


def test_published_values():  # authority: PE[0] = 0 1 0 1 ..., PE[1, 0] = sin 1
    assert sinusoids(2, 6)[0].tolist() == [0, 1, 0, 1, 0, 1]
    assert sinusoids(2, 6, halves=True)[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert float(sinusoids(2, 6)[1, 0]) == pytest.approx(0.8414709848)


def test_sinusoids_grow_past_any_length():  # authority: the table made at once
    positions = SinusoidalPositions(small())
    assert torch.equal(positions(slice(0, 3), LIKE), sinusoids(3, 16))
    assert torch.equal(positions(slice(0, 256), LIKE), sinusoids(256, 16))
    assert torch.equal(positions(slice(256, 257), LIKE), sinusoids(257, 16)[256:])
    assert torch.equal(positions(slice(1000, 1001), LIKE), sinusoids(1001, 16)[1000:])
    assert torch.equal(positions(slice(0, 3), LIKE), sinusoids(3, 16))


def test_sinusoids_at_given_places():
    places = torch.tensor([[3, 0], [700, 1]])
    rows = SinusoidalPositions(small(positions="sinusoid-halves"))(places, LIKE)
    assert torch.equal(rows, sinusoids(701, 16, halves=True)[places])


def test_sinusoids_follow_the_dtype_and_are_no_weights():
    positions = SinusoidalPositions(small())
    positions(slice(0, 3), LIKE)
    for dtype in (torch.float64, torch.bfloat16, torch.float32):
        assert positions(slice(0, 3), LIKE.to(dtype)).dtype == dtype
    assert not positions.state_dict()


def test_learned_positions_are_rows_of_their_table():  # authority: indexing
    positions = LearnedPositions(small(max_length=6))
    torch.nn.init.normal_(positions.weight)
    assert torch.equal(positions(slice(2, 6), LIKE), positions.weight[2:6])
    places = torch.tensor([[5, 0, 0]])
    assert torch.equal(positions(places, LIKE), positions.weight[places])


@pytest.mark.parametrize("index", [slice(0, 7), slice(6, 7), torch.tensor([[0, 6]])])
def test_one_past_the_learned_table_is_an_error(index):  # authority: D6
    with pytest.raises(UsageError, match=r"7 tokens .* 6 positions"):
        LearnedPositions(small(max_length=6))(index, LIKE)


def test_no_positions_add_nothing():
    x = torch.randn(2, 3, 16)
    assert torch.equal(x + NoPositions(small())(slice(0, 3), x), x)


@pytest.mark.parametrize(("is_encoder", "neighbors"), [(True, (-1, 1, -2, 2)), (False, (-1, -2))])
def test_neighbor_heads(is_encoder, neighbors):  # authority: the formula, number by number
    c = small(positions="buckets", d_model=64, n_heads=len(neighbors), neighbor_heads=True)
    distances = DistanceBias(c, is_encoder)
    distances.start_at_neighbors()
    bias = distances(200, 0)[0].detach()  # (H, T, S), farther than max_distance
    for head, neighbor in enumerate(neighbors):
        for query, key in ((150, key) for key in range(200 if is_encoder else 151)):
            expected = max(-6, -2 * abs(key - query - neighbor))
            assert float(bias[head, query, key]) == expected


def test_more_heads_than_neighbors_share_them():
    c = small(positions="buckets", d_model=64, n_heads=16, n_buckets=4, neighbor_heads=True)
    distances = DistanceBias(c, is_bidirectional=True)
    distances.start_at_neighbors()
    assert torch.equal(distances.weight[:, :8], distances.weight[:, 8:])
    assert distances.weight.amax(0).tolist() == [0] * 16  # the bucket that holds the neighbor
