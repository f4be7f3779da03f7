"""Kernels of a run: chosen before the first update and kept when the run resumes."""

import torch

from pellucid.nn.kernel_cache import Decision, choose_kernels
from pellucid.nn.kernel_choice import KernelChoices
from pellucid.training.distribution import World
from pellucid.training.reporter import Reporter
from pellucid.training.run_directory import RunDirectory


def run_kernels(
    run: RunDirectory, device: torch.device, precision: str, w: World, reporter: Reporter
) -> KernelChoices:
    """Return the recorded kernels if the run has a checkpoint, else choose and record them.

    The first process chooses for all processes.
    precision: the run's setting; what `auto` means is logged.
    """
    if w.is_main:
        decision = _read_recorded(run) or choose_kernels(device)
        reporter.log(f"kernels: {_describe(decision.choices, precision)} ({decision.reason})")
        if run.kernels() != decision.choices:
            run.record_kernels(decision.choices)
    w.wait()
    choices = run.kernels()
    assert choices is not None
    return choices


def _read_recorded(run: RunDirectory) -> Decision | None:
    """Return the recorded choices of a resumed run: other kernels would change the last bits."""
    choices = run.kernels() if run.fixed_config() is not None else None
    return None if choices is None else Decision(choices, "as when this run began")


def _describe(choices: KernelChoices, precision: str) -> str:
    fp32 = "oneDNN" if choices.onednn else "torch's default"
    attention = ", fused attention" if choices.fused_attention else ""
    auto = f", precision auto is {'bf16' if choices.bf16 else 'fp32'}"
    return f"fp32 products by {fp32}{attention}{auto if precision == 'auto' else ''}"
