"""Authorities: the explicit formula of attention, by hand; algebra (padding, the step it is of)."""

import pytest
import torch

from pellucid.config.model import ModelConfig
from pellucid.decoding.alignment import align, hard_alignment, word_alignment
from pellucid.errors import UsageError
from pellucid.nn.model import build
from pellucid.taps import record

START = 1
SOURCES = [(5, 6, 7, 8, 2), (9, 2), (4, 4, 10, 2)]
TARGETS = [(11, 12), (13, 14, 15, 2), (16,)]


@pytest.fixture(scope="module")
def model():
    c = ModelConfig(
        vocab_size=20, d_model=16, d_ff=32, n_heads=2, n_encoder_layers=2, n_decoder_layers=3
    )
    model = build(c, seed=3).eval()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.5 * torch.randn(p.shape, generator=rng))
    return model


# Weights are at most 1, from fp32 scores of up to about 10. Batch, single text and step sum in
# different orders, and CPUs do: each score may differ by some of its last bits, 1e-6 each.
ROUNDING = 1e-5


@pytest.mark.parametrize("layer", [-2, 0, 1, 2])
def test_rows_are_of_the_step_that_predicts(model, layer):
    # Authority: queries and keys as they pass their taps, in steps one by one; for every target
    # token, the step whose logits it was chosen by.
    actual = align(model, SOURCES, TARGETS, start=START, layer=layer)
    path = f"decoder.layers.{layer % 3}.cross.inner"
    for source, target, weights in zip(SOURCES, TARGETS, actual, strict=True):
        assert weights.shape == (len(target), len(source))
        cache = model.prefill(torch.tensor([source]), None, 1)
        for t, before in enumerate((START, *target[:-1])):
            with record(model, f"{path}.*") as seen, torch.no_grad():
                model.step(torch.tensor([[before]]), cache)
            q, k = seen[f"{path}.queries"][0], seen[f"{path}.keys"][0]  # (1, H, 1 or S, K)
            expected = ((q @ k.mT) / q.shape[-1] ** 0.5).softmax(-1).mean(1)[0, 0]
            assert torch.allclose(weights[t], expected, atol=ROUNDING, rtol=0)


def test_a_batch_is_its_singles(model):
    together = align(model, SOURCES, TARGETS, start=START)
    for source, target, weights in zip(SOURCES, TARGETS, together, strict=True):
        (alone,) = align(model, [source], [target], start=START)
        assert torch.allclose(weights, alone, atol=ROUNDING, rtol=0)
        assert torch.allclose(weights.sum(-1), torch.ones(len(target)), atol=1e-6)


def test_no_pairs_and_no_text(model):
    assert align(model, [], [], start=START) == []
    (weights,) = align(model, [(5, 2)], [()], start=START)
    assert weights.shape == (0, 2)
    assert hard_alignment(weights) == []


def test_wrong_layers_and_shapes(model):
    with pytest.raises(UsageError, match="has 3 layers"):
        align(model, SOURCES, TARGETS, start=START, layer=3)
    c = ModelConfig(
        vocab_size=9, d_model=8, d_ff=8, n_heads=2, n_encoder_layers=0, n_decoder_layers=1
    )
    with pytest.raises(UsageError, match="encoder-decoder"):
        align(build(c, seed=0), [(1,)], [(1,)], start=0)


def test_hard_alignment():
    weights = torch.tensor([[0.1, 0.9, 0.0], [0.6, 0.2, 0.2]])
    assert hard_alignment(weights) == [(0, 1), (1, 0)]


def test_word_alignment():
    # By hand: target words 0 = pieces 0, 1 and 1 = piece 2; source words 0 = piece 0, 1 = 1, 2.
    weights = torch.tensor(
        [[0.5, 0.1, 0.1, 0.3], [0.4, 0.2, 0.3, 0.1], [0.3, 0.2, 0.2, 0.3], [0.0, 0.0, 0.0, 1.0]]
    )
    pairs = word_alignment(weights, [0, 0, 1, None], [0, 1, 1, None])
    assert pairs == [(0, 0), (1, 1)]  # 0.9 against 0.7; 0.3 against 0.2 + 0.2
    assert word_alignment(weights, [None] * 4, [0, 1, 1, None]) == []
    with pytest.raises(UsageError, match="3 target and 4 source"):
        word_alignment(weights, [0, 0, 1], [0, 1, 1, None])
