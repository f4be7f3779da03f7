"""Which kernels training uses: chosen from speeds measured on this machine, or pinned."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from pellucid.errors import UsageError

VARIABLE = "PELLUCID_KERNELS"
MARGIN = 1.15
"""A kernel must be this many times faster than the default: smaller gains may be noise."""


@dataclass(frozen=True)
class KernelChoices:
    """What training uses in place of torch's own fp32 products."""

    onednn: bool = False
    """fp32 matrix products by oneDNN, in place of torch's default (MKL on x86)"""
    bf16: bool = False
    """matrix products in bf16 where training.precision is auto"""
    fused_attention: bool = False
    """short texts' attention in fp32 by torch's fused kernel, in place of two matrix products"""


NAMES = tuple(KernelChoices.__dataclass_fields__)
PINNED_CHOICES = {"fp32": KernelChoices()} | {
    ",".join(names): KernelChoices(**dict.fromkeys(names, True))
    for n in range(1, len(NAMES) + 1)
    for names in combinations(NAMES, n)
}
"""Values of PELLUCID_KERNELS: fp32, or names of choices."""
MATMUL, FUSED = "matmul attention", "fused attention"


def choose_by_speed(speeds: Mapping[str, Sequence[float]]) -> KernelChoices:
    """Choose kernels by the median speed of each candidate.

    speeds: GFLOP/s in alternating rounds, by candidate: "fp32" (the default), "onednn", "bf16", and
    attention in fp32 by `MATMUL` (the default) and `FUSED`. A candidate that this machine does not
    have is absent.
    """
    medians = {name: median(rounds) for name, rounds in speeds.items()}
    default = medians["fp32"]
    onednn = medians.get("onednn", 0.0) >= MARGIN * default
    fp32 = medians["onednn"] if onednn else default
    return KernelChoices(
        onednn=onednn,
        bf16=medians.get("bf16", 0.0) >= MARGIN * fp32,
        fused_attention=medians.get(FUSED, 0.0) >= MARGIN * medians.get(MATMUL, math.inf),
    )


def read_pinned_choices() -> KernelChoices | None:
    """Return the choices that the variable PELLUCID_KERNELS names, or None if it is not set.

    Raises: UsageError if it names no known choices.
    """
    value = os.environ.get(VARIABLE, "")
    if value and value not in PINNED_CHOICES:
        raise UsageError(
            f"{VARIABLE}={value!r} names no kernels. Use one of: {'; '.join(PINNED_CHOICES)};"
            " or unset it, so that the kernels are chosen by measurement."
        )
    return PINNED_CHOICES[value] if value else None
