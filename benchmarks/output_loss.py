"""The output layer and its loss as one function, beside the same as two.

python -m benchmarks.output_loss [--threads 2] [--rounds 9]

A step with both gradients for 3,400 tokens and 10,000 words, the batch of the Multi30k recipe, by
each kernel of training. One function is `losses.linear_cross_entropy`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor

from benchmarks.report import save_results
from pellucid.allocator import prepare_for_steps
from pellucid.nn import kernels, losses
from pellucid.nn.kernel_choice import KernelChoices

TOKENS, VOCABULARY, WIDTHS, SMOOTHING = 3_400, 10_000, (128, 256, 512), 0.1
KERNELS = {
    "fp32": (KernelChoices(), nullcontext),
    "fp32, oneDNN": (KernelChoices(onednn=True), nullcontext),
    "bf16": (KernelChoices(bf16=True), partial(torch.autocast, "cpu", torch.bfloat16)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    prepare_for_steps()
    facts: dict[str, dict[str, float]] = {}
    for width in WIDTHS:
        for name, (choices, cast) in KERNELS.items():
            with kernels.use_kernels(choices):
                ms = measure(width, cast, arguments.rounds)
            ratio = ms["two functions"] / ms["one function"]
            facts[f"{width}, {name}"] = {**ms, "ratio": ratio}
            times = "   ".join(f"{way} {value:6.1f} ms" for way, value in ms.items())
            print(f"width {width:4d}  {name:14s} {times}   {ratio:.2f}x", flush=True)
    save_results("output-loss", {"threads": arguments.threads, "medians": facts})


def measure(
    width: int, cast: Callable[[], AbstractContextManager], rounds: int
) -> dict[str, float]:
    """Return the median time of each way in alternating rounds, in ms."""
    x = torch.randn(TOKENS, width, requires_grad=True)
    weight = (torch.randn(VOCABULARY, width) * width**-0.5).requires_grad_()
    targets = torch.randint(VOCABULARY, (TOKENS,))

    def as_two() -> Tensor:
        return losses.cross_entropy(kernels.linear(x, weight, None), targets, SMOOTHING)

    def as_one() -> Tensor:
        return losses.linear_cross_entropy(x, weight, None, targets, SMOOTHING)

    ways = {"two functions": as_two, "one function": as_one}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, compute in ways.items():
            x.grad = weight.grad = None
            start = time.perf_counter()
            with cast():
                loss = compute() / TOKENS
            loss.backward()
            if turn:  # the first one is not counted
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}


if __name__ == "__main__":
    main()
