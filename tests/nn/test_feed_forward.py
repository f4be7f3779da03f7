import pytest
import torch

from nn.reference import activation, feed_forward, weights_of
from nn.samples import max_difference, randomize, small
from pellucid.nn.feed_forward import ACTIVATIONS, FeedForward
from pellucid.taps import record


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_their_formulas(name):  # authority: the papers, in float64
    x = torch.linspace(-6, 6, 241)
    exact = torch.from_numpy(activation(name, x.double().numpy()))
    assert max_difference(ACTIVATIONS[name](x), exact) <= 1e-6


def test_both_gelus_differ():  # by about 5e-4 at 2.7: the two names may not be mixed up
    x = torch.linspace(-6, 6, 241)
    assert 1e-4 < max_difference(ACTIVATIONS["gelu"](x), ACTIVATIONS["gelu-tanh"](x)) < 1e-3


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_network_is_equation_2(name):  # authority: NumPy float64
    c = small(activation=name)
    module, x = FeedForward(c), torch.randn(2, 5, 16)
    randomize(module)
    exact = feed_forward(c, weights_of(module), x.double().numpy())
    assert max_difference(module(x), torch.from_numpy(exact)) <= 1e-5


def test_hidden_is_what_the_tap_sees():
    module, x = FeedForward(small()), torch.randn(2, 5, 16)
    randomize(module)
    with record(module) as seen:
        out = module(x)
    (hidden,) = seen["hidden"]
    assert torch.equal(hidden, module.up(x).relu())
    assert torch.equal(out, module.down(hidden))


def test_dropout_falls_on_the_hidden_layer_in_training_only():  # authority: linearity of `down`
    module, x = FeedForward(small(activation_dropout=0.5)), torch.randn(64, 16)
    randomize(module)
    module.eval()
    with record(module) as seen:
        assert torch.equal(module(x), module.down(seen["hidden"][0]))
    module.train()
    module.down.weight.data.copy_(torch.eye(16, 24))
    module.down.bias.data.zero_()
    with record(module) as seen:
        out = module(x)
    hidden = seen["hidden"][0][:, :16]
    alive = hidden != 0
    ratio = out[alive] / hidden[alive]
    assert ((ratio == 0) | ((ratio - 2).abs() < 1e-6)).all()
    assert 0.3 < float((ratio == 0).float().mean()) < 0.7
