"""What a layer costs: self-attention, LSTM and convolution, by length of the text and by width.

Vaswani et al. 2017, table 1, measured with pellucid's own layers: time of a forward and a backward
pass, and memory that the forward pass keeps for the backward one.

usage: python recipes/layer_costs.py OUT.svg

Needs `pip install pellucid[plot]`. Uses one thread, and its CPU time.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.config.model import ModelConfig
from pellucid.nn.attention import SelfAttention
from pellucid.nn.cnn import Convolution
from pellucid.nn.init import initialize
from pellucid.nn.masks import Mask, MaskTensors
from pellucid.nn.rnn_stack import LSTM

LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
WIDTHS = (32, 64, 128, 256, 512)
LENGTH, WIDTH, HEADS, KERNEL = 128, 256, 4, 3
ROUNDS = 7
TABLE_1 = {  # complexity of a layer, sequential operations, longest path between two tokens
    "self-attention": ("n^2 d", "1", "1"),
    "LSTM": ("n d^2", "n", "n"),
    "convolution": (f"{KERNEL} n d^2", "1", f"log_{KERNEL} n"),
}


class Cost(NamedTuple):
    """What a forward and a backward pass over one text costs."""

    milliseconds: float
    megabytes: float


def main(picture: str) -> None:
    """Measure, print and draw."""
    torch.set_num_threads(1)
    by_length = {n: measure_all(n, WIDTH) for n in LENGTHS}
    by_width = {d: measure_all(LENGTH, d) for d in WIDTHS}
    print(f"{'layer':<15} complexity  sequential  longest path")
    for name, (complexity, sequential, path) in TABLE_1.items():
        print(f"{name:<15} {complexity:<11} {sequential:<11} {path}")
    print_costs(f"length, at width {WIDTH}", by_length)
    print_costs(f"width, at length {LENGTH}", by_width)
    draw(picture, by_length, by_width)


def measure_all(n: int, d: int) -> dict[str, Cost]:
    """Return the cost of each layer for a text of n tokens of width d, in alternating rounds."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, n, d, generator=rng).requires_grad_()
    layers = build_layers(d)
    runs = {name: bind(layer) for name, layer in layers.items()}
    memory = {name: kept_megabytes(layers[name], run, x) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            seconds[name].append(time_once(run, x))
    return {name: Cost(1000 * median(seconds[name]), memory[name]) for name in runs}


def build_layers(d: int) -> dict[str, nn.Module]:
    """Return the layers of width d."""
    c = ModelConfig(d_model=d, n_heads=HEADS, attention_dropout=0.0)
    layers = (SelfAttention(c), LSTM(d, d), Convolution(KERNEL, d, d))
    for layer in layers:
        initialize(layer, 0)
    return dict(zip(TABLE_1, layers, strict=True))


def bind(layer: Any) -> Callable[[Tensor], Tensor]:
    """Return a layer as a function (1, n, d) -> (1, n, d)."""
    if isinstance(layer, SelfAttention):
        return lambda x: layer(x, MaskTensors(Mask()))
    if isinstance(layer, LSTM):
        return lambda x: layer.run(x, x.new_zeros(LSTM.n_states, 1, x.shape[-1]))[0]
    return layer


def time_once(run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Return the CPU seconds of a pass; short ones are repeated."""
    repeats, elapsed = 1, 0.0
    while elapsed < 0.01:
        start = time.process_time()
        for _ in range(repeats):
            torch.autograd.grad(run(x).sum(), x)
        elapsed = time.process_time() - start
        repeats *= 2
    return elapsed / (repeats / 2)


def kept_megabytes(layer: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Return the size of all tensors that the backward pass needs, weights not counted."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = run(x)
    del output
    return sum(sizes.values()) / 2**20


def print_costs(title: str, costs: dict[int, dict[str, Cost]]) -> None:
    """Print a table of milliseconds and megabytes."""
    print(f"\n{title:<24}" + "".join(f"{name:>24}" for name in TABLE_1))
    for n, row in costs.items():
        cells = (f"{cost.milliseconds:.3f} ms {cost.megabytes:>6.2f} MB" for cost in row.values())
        print(f"{n:<24}" + "".join(f"{cell:>24}" for cell in cells))


def draw(picture: str, *tables: dict[int, dict[str, Cost]]) -> None:
    """Draw time and memory against length and width, both axes logarithmic."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    labels = (f"length (width {WIDTH})", f"width (length {LENGTH})")
    for column, (costs, label) in enumerate(zip(tables, labels, strict=True)):
        for row, field in enumerate(Cost._fields):
            ax: Any = axes[row, column]
            for name in TABLE_1:
                values = [getattr(costs[n][name], field) for n in costs]
                ax.plot(list(costs), values, marker=".", label=name)
            ax.set(xscale="log", yscale="log", xlabel=label, ylabel=field)
            ax.set_xticks(list(costs), labels=list(map(str, costs)))
            ax.minorticks_off()
            ax.grid(alpha=0.3)
    axes[0, 0].legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
