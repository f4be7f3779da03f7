"""Speeds of the candidate kernels, measured on this machine."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.config.model import ModelConfig
from pellucid.nn import kernels, packed_linear
from pellucid.nn.attention import Attention
from pellucid.nn.kernel_choice import FUSED, MATMUL, KernelChoices
from pellucid.nn.masks import Mask, MaskTensors

BUDGET = 0.3
"""Seconds that a measurement may take."""
COARSE = time.get_clock_info("thread_time").resolution > 1e-4
seconds = time.perf_counter if COARSE else time.thread_time
"""The clock: CPU time of this thread, so that other work on the machine does not count."""
TRAINING_SHAPES = ((1024, 128, 256), (256, 512, 1024), (256, 128, 4096))
"""Rows, input and output width: layers of a tiny and of a base model, and an output layer."""
ATTENTION_SHAPES = ((32, 16, 4, 32), (6, 64, 4, 32))
"""Texts, tokens of each, heads and their width."""
DECODING_SHAPE = (160, 512, 2048)
TRIAL_SHAPE = (64, 128, 128)
TOO_SLOW = 4
"""A candidate this many times slower than the fastest in a trial is not measured further.

bf16 on a CPU without instructions for it is a hundred times slower and would exceed the budget.
"""

Shape = tuple[int, int, int]
Product = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Input (N, in), weight (out, in), bias (out,) -> (N, out)."""
Speeds = dict[str, list[float]]
"""GFLOP/s in each round, by candidate."""


@dataclass(frozen=True)
class Candidate:
    """Matrix products to time together."""

    products: Sequence[Callable[[], object]]
    operations: int
    """FLOP of one call of each product."""

    def speed(self) -> float:
        """Return GFLOP/s of one call of each product."""
        start = seconds()
        for product in self.products:
            product()
        return self.operations / (seconds() - start) / 1e9


def measure(budget: float = BUDGET) -> Speeds:
    """Return GFLOP/s by candidate, a figure for each of some alternating rounds, on one thread.

    "fp32", "onednn" and "bf16" are a linear layer's three products in training: the output and
    two gradients. `MATMUL` and `FUSED` are attention in fp32 with its gradients. "packed fp32",
    "packed bf16" and "packed int8" are decoding's, for information.
    budget: seconds, not counting what torch loads at its first backward pass.
    """
    # Kernels compare alike on one thread and on many (benchmarks/README.md). But on a machine with
    # other work threads wait for each other, and the waiting hides what is to be compared.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            names = _usable()
            end = seconds() + budget
            candidates = _training_candidates(names) | _attention_candidates()
            return _alternate(candidates | _decoding_candidates(), end)
    finally:
        torch.set_num_threads(threads)


def _alternate(candidates: Mapping[str, Candidate], end: float) -> Speeds:
    """Time rounds of all candidates until `end`; the first one only warms up."""
    speeds: Speeds = {name: [] for name in candidates}
    while True:
        start = seconds()
        for name, candidate in candidates.items():
            speeds[name].append(round(candidate.speed(), 1))
        now = seconds()
        if now + (now - start) > end:
            return {name: rounds[1:] or rounds for name, rounds in speeds.items()}


def _usable() -> list[str]:
    """Return the training candidates that run here and are not far too slow, and the default."""
    speeds = {}
    for name, product in TRAINING_PRODUCTS.items():
        try:
            trial = _training(product, (TRIAL_SHAPE,))
            speeds[name] = max(trial.speed() for _ in range(5))  # the first prepares the kernel
        except (RuntimeError, AttributeError):  # torch was built without it, or for other CPUs
            continue
    least = max(speeds.values()) / TOO_SLOW
    return [name for name, speed in speeds.items() if name == "fp32" or speed >= least]


def _training_candidates(names: Sequence[str]) -> dict[str, Candidate]:
    return {name: _training(TRAINING_PRODUCTS[name], TRAINING_SHAPES) for name in names}


def _training(product: Product, shapes: Sequence[Shape]) -> Candidate:
    operations = sum(6 * rows * width * out for rows, width, out in shapes)
    return Candidate([_training_step(product, shape) for shape in shapes], operations)


def _training_step(product: Product, shape: Shape) -> Callable[[], object]:
    leaves = x, weight, bias = [tensor.requires_grad_() for tensor in _tensors(shape)]
    grad = torch.ones_like(product(x, weight, bias))
    return lambda: torch.autograd.grad(product(x, weight, bias), leaves, grad)


def _attention_candidates() -> dict[str, Candidate]:
    choices = {MATMUL: KernelChoices(), FUSED: KernelChoices(fused_attention=True)}
    operations = sum(12 * texts * n * n * heads * k for texts, n, heads, k in ATTENTION_SHAPES)
    return {
        name: Candidate([_attention_step(shape, c) for shape in ATTENTION_SHAPES], operations)
        for name, c in choices.items()
    }


def _attention_step(
    shape: tuple[int, int, int, int], choices: KernelChoices
) -> Callable[[], object]:
    texts, n, heads, width = shape
    attention = Attention(ModelConfig(d_model=heads * width, n_heads=heads))
    rng = torch.Generator().manual_seed(0)
    qkv = torch.randn(texts, n, 3, heads, width, generator=rng).requires_grad_()
    grad = torch.ones(texts, n, heads * width)

    def step() -> object:
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()
        with kernels.use_kernels(choices):
            context = attention.attend(q, k, v, MaskTensors(Mask(causal=True)))
        return torch.autograd.grad(context, qkv, grad)

    return step


def _decoding_candidates() -> dict[str, Candidate]:
    x, weight, bias = _tensors(DECODING_SHAPE)
    candidates = {}
    for dtype in ("fp32", "bf16", "int8"):
        if packed_linear.can_pack(dtype):
            packed = packed_linear.pack(weight, bias, dtype)
            call = partial(packed, x.to(packed_linear.TORCH_TYPES[dtype]))
            call()  # the first call prepares the kernel
            candidates[f"packed {dtype}"] = Candidate([call], 2 * x.numel() * len(weight))
    return candidates


def _tensors(shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Return random input, weight and bias, from a separate generator."""
    rows, width, out = shape
    rng = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(s, generator=rng) for s in ((rows, width), (out, width), (out,)))
    return x, weight, bias


def _in_bf16(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return F.linear(x, weight, bias)


TRAINING_PRODUCTS: dict[str, Product] = {
    "fp32": F.linear,
    "onednn": kernels.onednn_linear,
    "bf16": _in_bf16,
}
