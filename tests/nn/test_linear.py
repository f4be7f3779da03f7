import torch

from nn.samples import max_difference, randomize
from pellucid.nn.linear import BlockDiagonalLinear, Linear, project


def made(linear: Linear) -> Linear:
    randomize(linear)
    return linear


def test_linear_is_an_affine_map():  # authority: its definition, element by element
    linear, x = made(Linear(3, 2)), torch.randn(4, 3)
    for row, out in zip(x, linear(x), strict=True):
        for i in range(2):
            exact = sum(linear.weight[i, j] * row[j] for j in range(3)) + linear.bias[i]
            assert max_difference(out[i], exact) <= 2e-6
    assert linear.matrix() is linear.weight


def test_a_sliced_map_is_one_map_a_head():  # authority: a small map for each slice
    linear, x = made(BlockDiagonalLinear(12, 3)), torch.randn(2, 5, 12)
    out = linear(x)
    for h in range(3):
        rows = slice(4 * h, 4 * h + 4)
        exact = x[..., rows] @ linear.weight[rows].T + linear.bias[rows]
        assert max_difference(out[..., rows], exact) <= 2e-6
    assert linear.weight.numel() == 48  # a third of a full map's
    assert max_difference(x @ linear.matrix().T + linear.bias, out) <= 2e-6


def test_several_maps_as_one_product():  # authority: each map by itself, and its gradients
    x = torch.randn(2, 5, 12, requires_grad=True)
    maps = [made(Linear(12, 8)), made(BlockDiagonalLinear(12, 3)), made(Linear(12, 12))]
    joined, single = project(x, maps), torch.cat([linear(x) for linear in maps], -1)
    assert max_difference(joined, single) <= 2e-6
    leaves = [x, *(p for linear in maps for p in linear.parameters())]
    direction = torch.randn(joined.shape)
    a, b = (torch.autograd.grad((y * direction).sum(), leaves) for y in (joined, single))
    assert all(max_difference(p, q) <= 1e-5 for p, q in zip(a, b, strict=True))


def test_gradients():  # authority: finite differences in float64 (D9)
    x = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    for linear in (made(Linear(6, 4)), made(BlockDiagonalLinear(6, 3))):
        linear.double()
        assert torch.autograd.gradcheck(called(linear), (x, *linear.parameters()))


def called(linear: Linear):
    """The map as a function of its input and its weights."""
    names = [name for name, _ in linear.named_parameters()]
    return lambda x, *weights: torch.func.functional_call(
        linear, dict(zip(names, weights, strict=True)), (x,)
    )
