"""Authority: the statistics that the sources named in `initialize` give."""

import math

import pytest
import torch

from nn.samples import DECODER, ENCODER, small
from pellucid.config.head import HeadConfig
from pellucid.nn.init import initialize
from pellucid.nn.model import build

WIDE = small(
    vocab_size=500,
    d_model=64,
    d_ff=256,
    positions="learned",
    norm_place="pre",
    tie_embeddings="none",
)
SHAPES = {
    "both": WIDE,
    "post": small(),
    "encoder": ENCODER,
    "decoder": DECODER,
    "slice": small(head_split="slice"),
    "tied": small(positions="learned", norm_place="pre"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_parameter_is_filled(name):
    model = build(SHAPES[name])
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, math.nan)
    initialize(model, 0)
    assert not [n for n, p in model.named_parameters() if not p.isfinite().all()]
    assert not [n for n, b in model.named_buffers() if not b.isfinite().all()]


@pytest.mark.parametrize("name", SHAPES)
def test_the_seed_alone_decides(name):
    torch.manual_seed(1)
    first = build(SHAPES[name], seed=5).state_dict()
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second, other = (
        build(SHAPES[name], seed=5).state_dict(),
        build(SHAPES[name], seed=6).state_dict(),
    )
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is not used
    assert all(torch.equal(first[n], second[n]) for n in first)
    matrices = [n for n in first if first[n].dim() == 2]
    assert not [n for n in matrices if torch.equal(first[n], other[n])]


def test_statistics_of_each_kind():
    model = build(WIDE, seed=0)
    for name, p in model.named_parameters():
        deviation = float(p.detach().std())
        if name.endswith("bias"):
            assert not p.any(), name
        elif ".norm." in name:
            assert (p == 1).all(), name
        elif "positions" in name:
            assert deviation == pytest.approx(0.02, rel=0.05), name
        elif "embedding" in name or "head" in name:
            assert deviation == pytest.approx(64**-0.5, rel=0.05), name
            assert float(p.detach().mean().abs()) < 0.01, name
        else:  # Glorot and Bengio 2010: uniform, so the deviation is the bound over sqrt 3
            bound = math.sqrt(6 / sum(p.shape))
            assert bound * 0.99 < float(p.detach().abs().max()) <= bound, name
            assert deviation == pytest.approx(bound / math.sqrt(3), rel=0.05), name


def test_sliced_matrices_start_as_small_ones():
    model = build(small(d_model=64, head_split="slice"), seed=0)
    weight = model.encoder.layers[0].attention.inner.q.weight
    bound = math.sqrt(6 / 32)
    assert weight.shape == (64, 16)
    assert bound * 0.98 < float(weight.detach().abs().max()) <= bound


def test_the_same_matrix_twice_is_sampled_twice():  # equal layers would stay equal
    layers = build(WIDE, seed=0).encoder.layers
    assert not torch.equal(layers[0].attention.inner.q.weight, layers[1].attention.inner.q.weight)
    assert not torch.equal(layers[0].attention.inner.q.weight, layers[0].attention.inner.k.weight)


def test_signals_keep_their_size():  # authority: the sources' purpose, unit variance at the start
    model = build(small(vocab_size=500, d_model=64, n_heads=4, d_ff=256), seed=0)
    ids = torch.randint(500, (8, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        embedded = model.eval().encoder.embedding(ids)
        logits = model.heads["lm"](model(ids, None, ids))
    assert 1.0 < float(embedded.std()) < 1.5  # 1 of the token, 0.5 of the sinusoid's squares
    assert 0.5 < float(logits.std()) < 2


def test_a_t5_starts_as_its_released_code():
    """Deviations of mesh-tensorflow: embeddings 1, queries (D K)^-0.5, keys D^-0.5."""
    c = small(
        vocab_size=500,
        d_model=64,
        d_head=32,
        n_heads=4,
        positions="buckets",
        norm="rms",
        norm_place="pre",
        attention_scale="none",
        bias="none",
        scale_embeddings=False,
    )
    model = build(c, seed=0, heads={"lm": HeadConfig(kind="lm", bias=False, scale=64**-0.5)})
    weights = {name: p.detach() for name, p in model.named_parameters()}
    assert float(weights["encoder.embedding.weight"].std()) == pytest.approx(1, abs=0.02)
    for name in ("encoder.layers.0.attention", "decoder.layers.1.cross"):
        # Glorot's deviation of a matrix 64 by 128, in place of 64^-0.5, for both.
        deviation = (2 / (64 + 128)) ** 0.5
        q, k = (weights[f"{name}.inner.{part}.weight"].std() for part in "qk")
        assert float(k) == pytest.approx(deviation, rel=0.05)
        assert float(q) == pytest.approx(deviation * 32**-0.5, rel=0.05)


@pytest.mark.parametrize("is_near", [True, False])
def test_heads_start_at_neighbors_if_asked(is_near):  # authority: the settings' meaning
    c = small(n_heads=4, positions="buckets", neighbor_heads=is_near)
    bias = build(c, seed=0).encoder.distances(9, 0)[0]  # (H, T, S)
    assert (bias[:, 4].argmax(1) - 4).tolist() == [-1, 1, -2, 2] or not is_near
    assert (float(bias.detach().abs().amax()) < 0.1) is not is_near
