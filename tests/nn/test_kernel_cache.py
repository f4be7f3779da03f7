"""Authority: what docs/training.md promises of `auto`."""

import json
import os

import pytest
import torch

from pellucid.nn import kernel_cache
from pellucid.nn.kernel_cache import choose_kernels, cpu_name
from pellucid.nn.kernel_choice import KernelChoices

CPU = torch.device("cpu")
SPEEDS = {
    "fp32": [100.0, 100.0],
    "onednn": [300.0, 290.0],
    "bf16": [50.0, 60.0],
    "matmul attention": [20.0, 20.0],
    "fused attention": [20.0, 20.0],
}


@pytest.fixture
def measurements(monkeypatch, tmp_path):
    """A cache folder of its own, and how often the machine was measured."""
    monkeypatch.delenv("PELLUCID_KERNELS")
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    calls = []

    def measure():
        calls.append(1)
        return SPEEDS

    monkeypatch.setattr(kernel_cache, "measure", measure)
    return calls


def test_a_machine_is_measured_once(measurements, tmp_path):
    first, second = choose_kernels(CPU), choose_kernels(CPU)
    assert first == second
    assert first.choices == KernelChoices(onednn=True)
    assert first.speeds == {
        "fp32": 100,
        "onednn": 295,
        "bf16": 55,
        "matmul attention": 20,
        "fused attention": 20,
    }
    assert first.reason == f"measured on {cpu_name()}, torch {torch.__version__}"
    assert len(measurements) == 1
    (key,) = json.loads((tmp_path / "cache" / "kernels.json").read_text())
    assert key == f"{cpu_name()}, torch {torch.__version__}"


def test_a_cache_without_attention_is_measured_again(measurements, tmp_path):
    choose_kernels(CPU)
    path = tmp_path / "cache" / "kernels.json"
    (key,) = json.loads(path.read_text())
    path.write_text(json.dumps({key: {"fp32": [100.0], "onednn": [10.0]}}))
    assert choose_kernels(CPU).choices == KernelChoices(onednn=True)
    assert len(measurements) == 2
    assert json.loads(path.read_text()) == {key: SPEEDS}


@pytest.mark.parametrize("what", ["torch", "cpu"])
def test_another_torch_or_cpu_is_measured_again(measurements, monkeypatch, tmp_path, what):
    choose_kernels(CPU)
    if what == "torch":
        monkeypatch.setattr(torch, "__version__", "2.99.0")
    else:
        monkeypatch.setattr(kernel_cache, "cpu_name", lambda: "another")
    choose_kernels(CPU)
    choose_kernels(CPU)
    assert len(measurements) == 2
    assert len(json.loads((tmp_path / "cache" / "kernels.json").read_text())) == 2  # both stay


def test_where_the_cache_cannot_be_written_the_default_is_used(measurements, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    decision = choose_kernels(CPU)
    assert decision.choices == KernelChoices()
    assert "cannot be kept" in decision.reason
    assert str(tmp_path / "cache") in decision.reason
    assert decision.speeds["onednn"] == 295


DAMAGED = ["", "{", "[]", '{"a": 1}', '{"a": {}}', '{"a": {"fp32": []}}', '{"a": {"fp32": ["x"]}}']


@pytest.mark.parametrize("content", DAMAGED)
def test_with_a_damaged_cache_the_default_is_used(measurements, tmp_path, content):
    (tmp_path / "cache").mkdir()
    path = tmp_path / "cache" / "kernels.json"
    path.write_text(content)
    decision = choose_kernels(CPU)
    assert (decision.choices, decision.speeds) == (KernelChoices(), {})
    assert "cannot be read" in decision.reason
    assert str(path) in decision.reason
    assert path.read_text() == content
    assert not measurements


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_with_an_unreadable_cache_the_default_is_used(measurements, tmp_path):
    choose_kernels(CPU)
    (tmp_path / "cache" / "kernels.json").chmod(0)
    assert choose_kernels(CPU).choices == KernelChoices()


def test_a_pin_is_neither_measured_nor_cached(measurements, monkeypatch, tmp_path):
    monkeypatch.setenv("PELLUCID_KERNELS", "onednn,bf16")
    decision = choose_kernels(CPU)
    assert decision.choices == KernelChoices(onednn=True, bf16=True)
    assert decision.reason == "pinned by PELLUCID_KERNELS"
    assert not measurements
    assert not (tmp_path / "cache").exists()


def test_other_devices_are_asked(measurements):
    assert choose_kernels(torch.device("mps")).choices == KernelChoices()
    assert not measurements


def test_a_cpu_has_a_name():
    assert cpu_name() == cpu_name() != ""
