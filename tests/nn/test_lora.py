"""LoRA. Authority: the algebra of W + B A alpha / r."""

import pytest
import torch
from torch import nn

from pellucid.errors import ConfigError
from pellucid.nn.linear import Linear
from pellucid.nn.lora import add_lora, merge_lora

RANK, ALPHA = 3, 12.0


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleDict({"q": Linear(5, 4), "k": Linear(5, 4)})])
        for parameter in self.parameters():
            nn.init.normal_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (layer,) = self.layers
        return layer["q"](x) + layer["k"](x).square()


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small().double()


def test_gradients_are_those_of_the_algebra(small):
    weight = small.layers[0]["q"].weight.detach().clone()
    add_lora(small, ["q"], RANK, ALPHA, seed=1)
    change = small.layers[0]["q"].parametrizations["weight"][0]
    nn.init.normal_(change.b)  # else the gradient of A is 0
    x = torch.randn(7, 5, dtype=torch.float64)
    (small(x) ** 2).sum().backward()
    a, b = change.a.detach().requires_grad_(), change.b.detach().requires_grad_()
    effective = weight + b @ a * (ALPHA / RANK)
    q, k = small.layers[0]["q"], small.layers[0]["k"]
    out = x @ effective.T + q.bias.detach() + (x @ k.weight.detach().T + k.bias.detach()) ** 2
    (out**2).sum().backward()
    assert torch.allclose(change.a.grad, a.grad, atol=1e-10)
    assert torch.allclose(change.b.grad, b.grad, atol=1e-10)


def test_merging_keeps_the_function_and_removes_the_parts(small):
    names = {name for name, _ in small.named_parameters()}
    x = torch.randn(7, 5, dtype=torch.float64)
    before = small(x)
    add_lora(small, ["q", "k"], RANK, ALPHA, seed=1)
    assert torch.equal(small(x), before)  # B is 0
    changes = [small.layers[0][name].parametrizations["weight"][0] for name in "qk"]
    for change in changes:
        nn.init.normal_(change.b)
    changed = small(x)
    assert not torch.allclose(changed, before)
    merge_lora(small)
    assert {name for name, _ in small.named_parameters()} == names
    assert torch.allclose(small(x), changed, atol=1e-12)
    assert type(small.layers[0]["q"]) is Linear


def test_the_seed_decides_and_absent_layers_are_an_error(small):
    drawn = []
    for seed in (1, 1, 2):
        other = Small()
        add_lora(other, ["q"], RANK, ALPHA, seed)
        drawn.append(other.layers[0]["q"].parametrizations["weight"][0].a)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    with pytest.raises(ConfigError, match="no linear layer up"):
        add_lora(small, ["up"], RANK, ALPHA, seed=1)
