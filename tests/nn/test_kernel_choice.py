"""Authority: DESIGN.md: the default unless another is 15 % faster in alternating medians."""

import pytest

from pellucid.errors import UsageError
from pellucid.nn.kernel_choice import KernelChoices, choose_by_speed, read_pinned_choices

# GFLOP/s of one thread on three machines, as benchmarks/README.md lists them.
ZEN_5 = {"fp32": 112, "onednn": 257, "bf16": 507}
EMERALD_RAPIDS = {"fp32": 143, "onednn": 154, "bf16": 84}  # has avx512_bf16, not AMX
INTEL_WITH_AMX = {"fp32": 142, "onednn": 139, "bf16": 327}


@pytest.mark.parametrize(
    ("speeds", "onednn", "bf16"),
    [
        (ZEN_5, True, True),
        (EMERALD_RAPIDS, False, False),
        (INTEL_WITH_AMX, False, True),
        ({"fp32": 10}, False, False),  # torch without oneDNN, a CPU without bf16
        ({"fp32": 100, "onednn": 114, "bf16": 114}, False, False),  # within the margin
        ({"fp32": 100, "onednn": 115, "bf16": 132}, True, False),  # bf16 is to beat what is chosen
        ({"fp32": 100, "onednn": 200, "bf16": 150}, True, False),
        ({"fp32": 100, "bf16": 115}, False, True),
    ],
)
def test_the_default_wins_unless_another_is_clearly_faster(speeds, onednn, bf16):
    rounds = {name: [speed] for name, speed in speeds.items()}
    assert choose_by_speed(rounds) == KernelChoices(onednn=onednn, bf16=bf16)


def test_medians_decide():
    disturbed = {"fp32": [100, 10, 100], "onednn": [101, 900, 99], "bf16": [5, 240, 200]}
    assert choose_by_speed(disturbed) == KernelChoices(onednn=False, bf16=True)


@pytest.mark.parametrize(("fused", "chosen"), [(10, False), (22, False), (23, True), (40, True)])
def test_fused_attention_must_beat_two_products(fused, chosen):
    speeds = {"fp32": [100], "matmul attention": [20], "fused attention": [fused]}
    assert choose_by_speed(speeds) == KernelChoices(fused_attention=chosen)


def test_decoding_decides_nothing():
    speeds = {"fp32": [100], "packed bf16": [900], "packed int8": [900]}
    assert choose_by_speed(speeds) == KernelChoices()


@pytest.mark.parametrize(
    ("value", "choices"),
    [
        ("fp32", KernelChoices()),
        ("onednn", KernelChoices(onednn=True)),
        ("bf16", KernelChoices(bf16=True)),
        ("onednn,bf16", KernelChoices(onednn=True, bf16=True)),
        ("fused_attention", KernelChoices(fused_attention=True)),
        ("bf16,fused_attention", KernelChoices(bf16=True, fused_attention=True)),
        ("", None),
    ],
)
def test_pinning(monkeypatch, value, choices):
    monkeypatch.setenv("PELLUCID_KERNELS", value)
    assert read_pinned_choices() == choices


@pytest.mark.parametrize("value", ["mkl", "FP32", "onednn bf16", "fp32,bf16"])
def test_unknown_pins_are_refused(monkeypatch, value):
    monkeypatch.setenv("PELLUCID_KERNELS", value)
    with pytest.raises(UsageError, match=r"names no kernels\. Use one of: fp32; onednn; bf16"):
        read_pinned_choices()
