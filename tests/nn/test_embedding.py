import math

import pytest
import torch

from nn.samples import max_difference, randomize, small
from pellucid.nn.embedding import Embedding
from pellucid.taps import record

IDS = torch.tensor([[0, 12, 3, 3], [5, 0, 12, 1]])  # both edges of the vocabulary


def made(**changes: object) -> Embedding:
    embedding = Embedding(small(**changes), 13)
    randomize(embedding)
    return embedding


@pytest.mark.parametrize("positions", ["sinusoid", "sinusoid-halves", "learned", "none"])
@pytest.mark.parametrize("scaled", [False, True])
def test_row_times_scale_plus_place(positions, scaled):  # authority: section 3.4, by hand
    embedding = made(positions=positions, scale_embeddings=scaled)
    out = embedding(IDS, 2)
    scale = math.sqrt(16) if scaled else 1.0
    places = embedding.positions(slice(0, 6), out)
    for b in range(2):
        for t in range(4):
            place = places[2 + t] if positions != "none" else 0.0
            assert max_difference(out[b, t], embedding.weight[IDS[b, t]] * scale + place) <= 1e-6


@pytest.mark.parametrize("positions", ["sinusoid", "learned"])
def test_given_places_equal_counted_ones(positions):  # authority: the offset
    embedding = made(positions=positions)
    places = torch.arange(2, 6).expand(2, 4)
    assert torch.equal(embedding(IDS, positions=places), embedding(IDS, 2))
    mixed = embedding(IDS, positions=torch.tensor([[0, 1, 2, 3], [0, 0, 0, 1]]))
    assert torch.equal(mixed[0], embedding(IDS)[0])
    assert torch.equal(mixed[1, 2:], embedding(IDS[:, 2:])[1])


def test_taps_hold_both_addends():
    embedding = made()
    with record(embedding) as seen:
        out = embedding(IDS)
    assert torch.equal(out, seen["tokens"][0] + seen["position_vectors"][0])
    assert torch.equal(seen["tokens"][0], embedding.weight[IDS] * 4)


@pytest.mark.parametrize("ids", [[[13]], [[-1]]])
def test_no_id_beyond_the_vocabulary_passes(ids):  # authority: D6, an error and never a number
    with pytest.raises(IndexError):
        made()(torch.tensor(ids))


@pytest.mark.parametrize("shape", [(1, 1), (0, 4), (2, 0)])
def test_least_sizes(shape):
    for positions in ("sinusoid", "learned", "none"):
        out = made(positions=positions)(torch.zeros(shape, dtype=torch.long))
        assert out.shape == (*shape, 16)
        assert out.isfinite().all()


def test_dropout_falls_on_the_sum_in_training_only():  # authority: its definition
    embedding = made(dropout=0.5)
    ids = IDS.repeat(8, 1)
    whole = embedding.eval()(ids)
    dropped = embedding.train()(ids)
    ratio = dropped / whole
    assert (((ratio - 2).abs() < 1e-4) | (ratio == 0)).all()
    assert 0.4 < float((ratio == 0).float().mean()) < 0.6


@pytest.mark.parametrize("positions", ["sinusoid", "learned"])
def test_gradients(positions):  # authority: finite differences in float64 (D9)
    embedding = made(positions=positions, max_length=4).double()
    names, weights = zip(*embedding.named_parameters(), strict=True)

    def call(*weights):
        state = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(embedding, state, (IDS,))

    assert torch.autograd.gradcheck(call, weights)
