import pytest
import torch
import torch.nn.functional as F

from nn.samples import max_difference
from pellucid.errors import UsageError
from pellucid.nn import kernels
from pellucid.nn.device import choose_device
from pellucid.nn.kernel_choice import KernelChoices

HAS_ONEDNN = kernels.has_onednn_linear()


@pytest.fixture(params=[False, True], ids=["torch", "onednn"])
def choices(request, monkeypatch):
    """torch's own products, or oneDNN's where this machine has them."""
    monkeypatch.setattr(kernels, "SMALL_PRODUCT", 1)  # these are all small
    with kernels.use_kernels(KernelChoices(onednn=request.param and HAS_ONEDNN)):
        yield kernels.active_choices()


def case(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    rng = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(n, generator=rng) for n in ((4, 3, 7), (5, 7), (5,)))
    return {
        "batch": (x, weight, bias),
        "matrix": (x[0], weight, bias),
        "vector": (x[0, 0], weight, bias),
        "no-bias": (x, weight, None),
        "transposed": (x.transpose(0, 1), weight, bias),
        "strided": (torch.cat((x, x), 2)[..., ::2], weight, bias),
        "expanded": (x[:1, :1].expand(4, 3, 7), weight, bias),
        "weight-transposed": (x, weight.t().contiguous().t(), bias),
        "narrow": (x[..., :1], weight[:1, :1], bias[:1]),
        "one-row": (x[:1, :1], weight, bias),
        "empty": (x[:0], weight, bias),
    }[name]


NAMES = "batch matrix vector no-bias transposed strided expanded weight-transposed narrow one-row"


@pytest.mark.parametrize("name", [*NAMES.split(), "empty"])
@pytest.mark.parametrize("kind", ["random", "expanded"])  # of a sum, gradients come with stride 0
def test_linear_and_its_gradients_are_torchs(choices, name, kind):  # authority: F.linear
    inputs = [None if t is None else t.detach().requires_grad_() for t in case(name)]
    leaves = [t for t in inputs if t is not None]
    actual, expected = kernels.linear(*inputs), F.linear(*inputs)
    assert max_difference(actual, expected) <= 1e-5
    grad = torch.randn(actual.shape) if kind == "random" else torch.ones(()).expand(actual.shape)
    a, b = (torch.autograd.grad(y, leaves, grad) for y in (actual, expected))
    assert all(max_difference(p, q) <= 1e-5 for p, q in zip(a, b, strict=True))


def test_linear_gives_only_the_gradients_asked_for(choices):
    x, weight, bias = case("batch")
    out = kernels.linear(x, weight.requires_grad_(), bias)
    out.sum().backward()
    assert weight.grad is not None
    assert x.grad is None
    assert bias.grad is None
    assert not kernels.linear(x, weight.detach(), bias).requires_grad


def test_the_choices_are_followed(choices):  # else the tests above would compare torch with itself
    x, weight, bias = case("batch")
    made_by = kernels.linear(x, weight.requires_grad_(), bias).grad_fn.name()
    assert ("OneDNN" in made_by) == choices.onednn
    assert "Byte" in kernels.dropout(x.requires_grad_(), 0.5).grad_fn.name()


def test_choices_end_with_their_block(monkeypatch):
    monkeypatch.setenv("PELLUCID_KERNELS", "bf16")
    monkeypatch.setattr(kernels, "_active", None)
    assert kernels.active_choices() == KernelChoices(bf16=True)
    with kernels.use_kernels(KernelChoices(onednn=True)):
        assert kernels.active_choices() == KernelChoices(onednn=True)
    assert kernels.active_choices() == KernelChoices(bf16=True)


def test_float64_falls_back(choices):  # authority: finite differences, which float32 would fail
    x, weight, bias = (t.double().requires_grad_() for t in case("matrix"))
    assert kernels.linear(x, weight, bias).dtype == torch.float64
    assert torch.autograd.gradcheck(kernels.linear, (x, weight, bias))


def test_autocast_keeps_its_16_bits(choices):
    x, weight, bias = case("batch")
    with torch.autocast("cpu", torch.bfloat16):
        out = kernels.linear(x, weight, bias)
    assert out.dtype == torch.bfloat16
    assert max_difference(out, F.linear(x, weight, bias)) <= 0.05


@pytest.mark.parametrize("p", [0.001, 1 / 512, 0.003, 0.1, 0.3, 0.5, 0.9, 0.99, 0.999])
def test_dropout_keeps_at_its_rate_and_the_mean(p):  # authority: the binomial's 5 sigma
    torch.manual_seed(0)
    n = 400_000
    out = kernels.dropout(torch.ones(n), p)
    kept = float((out != 0).float().mean())
    rounded = round(p * 256) / 256
    exact = 1 - rounded if 0 < rounded < 1 else 1 - p
    assert abs(exact - (1 - p)) <= 1 / 512
    assert abs(kept - exact) <= 5 * (exact * (1 - exact) / n) ** 0.5
    values = out.unique()
    assert len(values) == 2
    assert values[0] == 0
    assert float(values[1]) * exact == pytest.approx(1, abs=1e-6)  # so the mean is exact


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 11), (0,), (2, 0)])
def test_dropout_of_any_size(shape):
    out = kernels.dropout(torch.ones(shape), 0.5)
    assert out.shape == shape
    assert ((out == 0) | (out == 2)).all()


def test_dropouts_gradient_is_its_mask():  # authority: the derivative of a product
    torch.manual_seed(0)
    x = (torch.randn(50, 7).abs() + 1).t().requires_grad_()
    out = kernels.dropout(x, 0.3)
    grad = torch.randn(7, 50)
    (result,) = torch.autograd.grad(out, x, grad)
    assert max_difference(result, grad * (out / x)) <= 1e-6
    assert torch.equal(result == 0, out == 0)


def test_dropout_is_decided_by_the_seed():
    draws = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        draws.append([kernels.dropout(torch.ones(100), 0.5) for _ in range(2)])
    assert all(torch.equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
    assert not torch.equal(draws[0][0], draws[2][0])
    assert not torch.equal(draws[0][0], draws[0][1])  # each call samples a new mask


def test_neighbouring_samples_are_independent():  # authority: correlation of n fair draws
    torch.manual_seed(0)
    n = 400_000
    kept = (kernels.dropout(torch.ones(n), 0.5) != 0).double() * 2 - 1
    for lag in (1, 2, 7, 8, 64):
        assert abs(float((kept[lag:] * kept[:-lag]).mean())) < 5 / n**0.5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dropout_keeps_the_dtype(dtype):
    out = kernels.dropout(torch.ones(64, dtype=dtype), 0.5)
    assert out.dtype == dtype
    assert ((out == 0) | (out == 2)).all()


def test_devices(monkeypatch):
    monkeypatch.delenv("PELLUCID_DEVICE", raising=False)
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("PELLUCID_DEVICE", "cpu")
    assert choose_device() == torch.device("cpu")
    monkeypatch.setenv("PELLUCID_DEVICE", "abacus")
    with pytest.raises(UsageError, match="'abacus' is not available on this machine"):
        choose_device()
    assert choose_device("cpu") == torch.device("cpu")  # what is named comes before it


def test_matmul_only_where_it_is_known_to_be_faster():
    q, k = torch.zeros(2, 4, 10, 8), torch.zeros(2, 4, 20, 8)
    assert not kernels.prefers_matmul(q, k, True)  # nothing to train: the fused kernel
    assert kernels.prefers_matmul(q.requires_grad_(), k, True)
    long = torch.zeros(1, 1, 257, 8, requires_grad=True)
    assert not kernels.prefers_matmul(long, long, True)
    assert kernels.prefers_matmul(long, long, False)  # torch stores all scores then
    with kernels.use_kernels(KernelChoices(fused_attention=True)):
        assert not kernels.prefers_matmul(q, k, True)
        assert kernels.prefers_matmul(q, k, False)  # with dropout, or a trained bias
        assert kernels.prefers_matmul(q.bfloat16(), k.bfloat16(), True)
