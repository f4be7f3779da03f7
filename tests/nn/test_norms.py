import pytest
import torch

from nn.reference import layer_norm, weights_of
from nn.samples import max_difference, randomize, small
from pellucid.nn.norms import LayerNorm, RMSNorm, build_norm


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_layer_norm_is_the_formula(eps):  # authority: Ba et al. 2016, eq. 4, NumPy float64
    c = small(norm_eps=eps)
    module = build_norm(c)
    randomize(module)
    x = 3 * torch.randn(2, 5, 16) + 1
    exact = layer_norm(c, weights_of(module), x.double().numpy())
    assert max_difference(module(x), torch.from_numpy(exact)) <= 1e-5


@pytest.mark.parametrize("eps", [1e-6, 0.1])
def test_rms_norm_is_the_formula(eps):  # authority: Zhang and Sennrich 2019, eq. 4, float64
    module = build_norm(small(norm="rms", norm_eps=eps), 8)
    assert isinstance(module, RMSNorm)
    randomize(module)
    x = (3 * torch.randn(2, 5, 8) + 1).double()
    exact = x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * module.weight.double()
    assert max_difference(module(x.float()), exact) <= 1e-5


def test_a_constant_vector_becomes_the_bias():  # authority: algebra, the variance is 0
    module = LayerNorm(16, 1e-5)
    randomize(module)
    assert max_difference(module(torch.full((2, 16), 7.0)), module.bias.expand(2, 16)) <= 1e-6
