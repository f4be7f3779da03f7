"""Authority: F.linear in float64."""

import pytest
import torch
import torch.nn.functional as F

from nn.samples import max_difference
from pellucid.nn import packed_linear
from pellucid.nn.packed_linear import TORCH_TYPES, can_pack, pack


@pytest.mark.skipif(not can_pack("fp32"), reason="torch has no packed products on this machine")
@pytest.mark.parametrize("is_in_cache", [True, False])
@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize(("dtype", "bound"), [("fp32", 1e-5), ("bf16", 0.05), ("int8", 0.1)])
def test_packed_products(dtype, bound, activation, is_in_cache, monkeypatch):
    if not can_pack(dtype):
        pytest.skip(f"no {dtype} products on this machine")
    x, weight, bias = torch.randn(2, 70, 64), torch.randn(48, 64) / 8, torch.randn(48)
    expected = F.linear(x.double(), weight.double(), bias.double())
    expected = expected.relu() if activation == "relu" else expected
    monkeypatch.setattr(packed_linear, "LARGE_WEIGHT", 1)
    packed = pack(weight, bias, dtype, activation, is_in_cache=is_in_cache)
    for part in (x, x[:, :1], x[:1, :1], x[:1, :3]):
        out = packed(part.to(TORCH_TYPES[dtype]))
        assert max_difference(out, expected[: len(part), : part.shape[1]]) <= bound


@pytest.mark.skipif(not can_pack("int8"), reason="no int8 products on this machine")
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_both_engines_of_int8_multiply_integers_exactly(activation, has_bias, monkeypatch):
    engines, prepack = [], packed_linear._prepack
    monkeypatch.setattr(
        packed_linear, "_prepack", lambda *args: (engines.append(args[-1]), prepack(*args))[1]
    )
    x = torch.randint(-128, 128, (2, 40, 32)).float()
    weight = torch.randint(-127, 128, (9000, 32)).float()
    x[:, :, 0], x[:, :, 1], weight[:, 0] = -128, 127, 127  # a scale of 1 for each row
    bias = torch.randn(9000) if has_bias else None
    packed = pack(weight, bias, "int8", activation)
    expected = F.linear(x.double(), weight.double(), None if bias is None else bias.double())
    expected = expected.relu() if activation == "relu" else expected
    for part, n_copies in ((x[:, :5], 1), (x[0, :31], 1), (x[0, :32], 2), (x, 2)):
        actual = packed(part)
        assert engines == ["x86", "onednn"][:n_copies]  # the second one when it is first used
        exact = (
            expected[: len(part), : part.shape[1]] if part.ndim == 3 else expected[0][: len(part)]
        )
        assert max_difference(actual, exact) <= 1e-6 * float(expected.abs().max())
