"""Authority: the safetensors library itself, algebra (round trips, rounding bounds)."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pellucid.errors import ConfigError, DataError, VerificationError
from pellucid.nn.weights import (
    load_weights,
    read_shapes,
    read_tensors,
    read_weights,
    save_weights,
    tie,
    weights,
    write_tensors,
)


class Tied(nn.Module):
    """Two embeddings and an output that are one matrix, and something of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.source = nn.Embedding(11, 6)
        self.target = nn.Embedding(11, 6)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 11)
        self.register_buffer("count", torch.tensor([3, 4]))

    def ties(self) -> tuple[tuple[str, str], ...]:
        return (("source.weight", "target.weight"), ("source.weight", "head.weight"))


@pytest.fixture
def model():
    torch.manual_seed(1)
    model = Tied()
    tie(model)
    return model


NAMES = {"source.weight", "norm.weight", "norm.bias", "head.bias", "count"}


def test_ties_make_one_parameter_and_are_idempotent(model):
    before = model.source.weight
    tie(model)
    assert model.target.weight is before
    assert model.head.weight is before
    assert len(list(model.parameters())) == 4
    tie(copy.deepcopy(model))
    tie(nn.Linear(2, 2))  # any other module has none


def test_aliases_are_not_saved(model, tmp_path):
    assert weights(model).keys() == NAMES
    save_weights(model, tmp_path / "w.safetensors")
    reference = load_file(tmp_path / "w.safetensors")
    assert reference.keys() == NAMES
    for name, tensor in weights(model).items():
        assert torch.equal(reference[name], tensor)


@pytest.mark.parametrize("meta", [False, True])
def test_round_trip_is_exact_and_ties_hold(model, tmp_path, meta):
    save_weights(model, tmp_path / "w.safetensors")
    with torch.device("meta" if meta else "cpu"):
        other = Tied()
    tensors = read_weights(tmp_path / "w.safetensors")
    load_weights(other, tensors)
    for (name, a), (_, b) in zip(
        model.state_dict().items(), other.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name
    assert other.head.weight is other.source.weight
    assert other.head.weight.requires_grad
    if meta:  # nothing is copied: peak memory is the model
        assert other.source.weight.data_ptr() == tensors["source.weight"].data_ptr()


def test_loading_in_place_keeps_what_an_optimizer_holds(model):
    held = model.norm.weight
    load_weights(model, {k: v + 1 for k, v in weights(model).items()})
    assert model.norm.weight is held
    assert torch.equal(held, torch.full((6,), 2.0))


@pytest.mark.parametrize(
    ("dtype", "bound"), [("fp32", 0), ("fp16", 2**-11), ("bf16", 2**-8), ("int8", 0)]
)
def test_rounding_is_within_half_a_unit(model, tmp_path, dtype, bound):
    path = tmp_path / "w.safetensors"
    model.source.weight.data[3] = 0  # a row that no scale fits
    save_weights(model, path, dtype)
    for name, actual in read_weights(path).items():
        exact = weights(model)[name]
        if not exact.is_floating_point():
            assert torch.equal(actual, exact)
            continue
        assert actual.dtype == torch.float32
        least = bound * exact.abs()
        if dtype == "int8":
            matrix = exact.dim() == 2
            least = (
                exact.abs().amax(-1, keepdim=True) / 254 * 1.0001 if matrix else exact.abs() / 2048
            )
        assert bool(((actual - exact).abs() <= least).all()), name


def test_sizes_on_disk(tmp_path):
    big = {"w": torch.randn(256, 256)}
    sizes = {}
    for dtype in ("fp32", "fp16", "bf16", "int8"):
        save_weights(big, tmp_path / dtype, dtype)
        sizes[dtype] = (tmp_path / dtype).stat().st_size
        assert read_shapes(tmp_path / dtype) == {"w": (256, 256)}
    assert sizes["fp32"] > 256 * 256 * 4
    assert sizes["fp16"] == pytest.approx(256 * 256 * 2, rel=0.01)
    assert sizes["bf16"] == pytest.approx(256 * 256 * 2, rel=0.01)
    assert sizes["int8"] == pytest.approx(256 * 256 * 1, rel=0.03)


def test_too_large_for_fp16(model, tmp_path):
    model.source.weight.data[0, 0] = 1e5
    with pytest.raises(ConfigError, match=r"source\.weight holds 1e\+05.*bf16"):
        save_weights(model, tmp_path / "w", "fp16")


def test_views_of_one_buffer_are_saved_as_themselves(tmp_path):
    flat = torch.arange(10.0)
    write_tensors({"a": flat[:4], "b": flat[4:].view(2, 3).T}, tmp_path / "w")
    result = read_tensors(tmp_path / "w")
    assert torch.equal(result["a"], flat[:4])
    assert torch.equal(result["b"], flat[4:].view(2, 3).T)


def test_the_same_weights_give_the_same_bytes(model, tmp_path):
    save_weights(model, tmp_path / "a")
    save_weights(dict(reversed(weights(model).items())), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_does_not_fit_is_named(model):
    tensors = weights(model)
    tensors["norm.wieght"] = tensors.pop("norm.weight")
    tensors["head.bias"] = torch.zeros(12)
    before = {k: v.clone() for k, v in weights(model).items()}
    with pytest.raises(VerificationError) as caught:
        load_weights(model, tensors)
    message = str(caught.value)
    assert "norm.weight is missing" in message
    assert "norm.wieght is unknown (did it mean norm.weight?)" in message
    assert "head.bias is (12,), the model has (11,)" in message
    assert all(torch.equal(v, before[k]) for k, v in weights(model).items())


def test_at_most_five_are_named(model):
    with pytest.raises(VerificationError, match="and 19 more") as caught:
        load_weights(model, {f"layer.{i}": torch.zeros(1) for i in range(19)})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_values_that_are_not_finite_are_refused(model, tmp_path, value, dtype):
    model.norm.bias.data[2] = value
    save_weights(model, tmp_path / "w", dtype)
    with pytest.raises(VerificationError, match=r"norm\.bias holds values that are not finite"):
        read_weights(tmp_path / "w")


def test_files_that_are_none(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello world, this is no tensor")
    for name in ("empty", "text"):
        with pytest.raises(VerificationError, match=f"{name} is not a valid safetensors file"):
            read_weights(tmp_path / name)
    for name in ("none", "."):
        with pytest.raises(DataError, match="missing, or not a file"):
            read_weights(tmp_path / name)


def test_a_scale_that_does_not_fit(tmp_path):
    save_file({"w": torch.ones(3, 2, dtype=torch.int8), "w.scale": torch.ones(2)}, tmp_path / "w")
    with pytest.raises(VerificationError, match=r"w\.scale does not fit w"):
        read_weights(tmp_path / "w")
    save_file({"g": torch.ones(3), "g.scale": torch.ones(2)}, tmp_path / "w")  # merely named so
    assert (
        read_weights(tmp_path / "w").keys()
        == {"g", "g.scale"}
        == read_shapes(tmp_path / "w").keys()
    )
