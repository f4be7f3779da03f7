import pytest
import torch
from torch import nn

from nn.samples import max_difference, randomize, small
from pellucid.nn.attention import Memory
from pellucid.nn.layer import RESIDUALS, DecoderLayer, EncoderLayer
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.taps import record


class Doubled(nn.Module):
    """A sublayer whose result is known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def wrapped(place: str, dropout: float = 0.0) -> nn.Module:
    residual = RESIDUALS[place](Doubled(), small(dropout=dropout))
    randomize(residual)
    return residual


@pytest.mark.parametrize("training", [False, True])
def test_where_the_norm_stands(training):  # authority: Vaswani 5.4; Xiong et al. 2020, table 1
    x = torch.randn(2, 5, 16)
    post, pre = wrapped("post").train(training), wrapped("pre").train(training)
    assert max_difference(post(x), post.norm(x + 2 * x)) <= 2e-6
    assert max_difference(pre(x), x + 2 * pre.norm(x)) <= 2e-6


def test_dropout_falls_on_the_sublayer_and_never_on_the_residual():  # authority: algebra
    x = torch.randn(64, 16)
    pre = wrapped("pre", 0.5).train()
    added = (pre(x) - x) / (2 * pre.norm(x))
    assert (((added - 2).abs() < 1e-3) | (added.abs() < 1e-3)).all()
    assert 0.4 < float((added.abs() < 1e-3).float().mean()) < 0.6
    pre.eval()
    assert max_difference(pre(x), x + 2 * pre.norm(x)) <= 2e-6


@pytest.mark.parametrize("place", ["post", "pre"])
def test_the_output_tap(place):
    residual, x = wrapped(place), torch.randn(2, 16)
    with record(residual) as seen:
        out = residual(x)
    assert torch.equal(seen["output"][0], out)


def test_post_norm_drops_before_the_sum():  # authority: with a norm that does nothing, algebra
    residual, x = wrapped("post", 0.5).train(), torch.rand(64, 16) + 1
    residual.norm = nn.Identity()
    added = (residual(x) - x) / (2 * x)
    assert (((added - 2).abs() < 1e-3) | (added.abs() < 1e-3)).all()
    assert 0.4 < float((added.abs() < 1e-3).float().mean()) < 0.6


@pytest.mark.parametrize("place", ["post", "pre"])
def test_the_order_of_sublayers(place):  # authority: composition of the parts, Vaswani fig. 1
    c = small(norm_place=place)
    x, memory, mask = torch.randn(2, 5, 16), torch.randn(2, 3, 16), MaskTensors(Mask(causal=True))
    memory = Memory(memory, MaskTensors(Mask()))
    encoder, decoder = EncoderLayer(c), DecoderLayer(c)
    randomize(encoder)
    randomize(decoder)
    assert torch.equal(encoder(x, mask), encoder.feed_forward(encoder.attention(x, mask)))
    by_hand = decoder.cross(decoder.attention(x, mask), memory)
    assert torch.equal(decoder(x, mask, None, None, memory), decoder.feed_forward(by_hand))


@pytest.mark.parametrize("part", ["attention", "feed_forward", "cross"])
@pytest.mark.parametrize("place", ["post", "pre"])
def test_gradients_of_sublayers(part, place):  # authority: finite differences in float64 (D9)
    c = small(d_model=4, n_heads=2, d_ff=6, norm_place=place, activation="gelu")
    layer = getattr(DecoderLayer(c), part)
    randomize(layer)
    layer.double()
    names, weights = zip(*layer.named_parameters(), strict=True)
    mask = MaskTensors(Mask(keep=torch.tensor([[True, True, False], [False, False, False]])))
    memory = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)

    def call(x, memory, *weights):
        inputs = {"attention": (mask,), "feed_forward": (), "cross": (Memory(memory, mask),)}[part]
        state = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(layer, state, (x, *inputs)) + 0 * memory.sum()

    assert torch.autograd.gradcheck(call, (x, memory, *weights))
