"""Depth with and without residual connections: training loss, gradient and states of each layer.

He et al. 2016 for convolutions and Dong et al. 2021 for attention, measured on decoders of 2 to 24
layers that learn the built-in corpus. Without its residual connection a sublayer returns
inner(norm(x)) instead of x + inner(norm(x)), or norm(inner(x)) instead of norm(x + inner(x)).

usage: python recipes/depth.py OUT.svg [UPDATES]

Also writes OUT.json. Needs `pip install pellucid[plot]`.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from comparison import (
    LANGUAGE_MODEL,
    compute_gradients,
    fit,
    gradient_norm,
    make_trainer,
    prepare,
    report,
)
from torch import Tensor, nn

from pellucid.taps import edit, record
from pellucid.training.prepare import PreparedRun
from pellucid.training.trainer import Trainer

DEPTHS = (2, 4, 8, 16, 24)
VARIANTS = {  # name: (place of the norm, whether there are residual connections)
    "residual, norm before": ("pre", True),
    "residual, norm after": ("post", True),
    "plain, norm before": ("pre", False),
    "plain, norm after": ("post", False),
}
CHANGES = {
    "model": {"d_model": 32, "d_ff": 128, "n_heads": 4},
    "training": {"rate": 3e-3, "warmup": 20},
}


@dataclass(frozen=True)
class Result:
    """What one model shows. Norms and spreads go from the first layer to the last."""

    variant: str
    depth: int
    loss: float
    """Mean training loss since the last multiple of 25 updates."""
    gradient_norms: list[float]
    """Of each layer's weights, for the first batch before training."""
    spreads: list[float]
    """How different the tokens' states are after each layer; see `measure_spread`."""


Results = dict[tuple[str, int], Result]


def main(picture: str, updates: str = "300") -> None:
    """Train all, print and draw."""
    prepared = prepare(LANGUAGE_MODEL, CHANGES, int(updates))
    results = {(v, depth): run(prepared, v, depth) for depth in DEPTHS for v in VARIANTS}
    unigram = unigram_loss(prepared)
    figures = {"unigram_loss": unigram, "results": [asdict(r) for r in results.values()]}
    Path(picture).with_suffix(".json").write_text(json.dumps(figures), "utf-8")
    print(f"training loss after {updates} updates (token frequencies alone: {unigram:.2f})")
    print_table(results, lambda r: f"{r.loss:.2f}")
    print("\ngradient norm of the first layer / of the last, before training")
    print_table(results, lambda r: f"{r.gradient_norms[0]:.2f} / {r.gradient_norms[-1]:.2f}")
    print("\nspread of the tokens' states after the last layer, before training")
    print_table(results, lambda r: f"{r.spreads[-1]:.1e}")
    draw(picture, results, unigram)


def run(prepared: PreparedRun, variant: str, depth: int) -> Result:
    """Measure a new decoder of this depth, then train it."""
    place, is_residual = VARIANTS[variant]
    trainer = make_trainer(prepared, {"norm_place": place, "n_decoder_layers": depth})
    with nullcontext() if is_residual else without_residuals(trainer.module, place):
        norms, spreads = measure_layers(trainer)
        fit(trainer)
    loss = trainer.reporter.values("loss")[-1]  # type: ignore[attr-defined]
    report(f"{variant}, {depth} layers: loss {loss:.3f}")
    return Result(variant, depth, loss, norms, spreads)


@contextmanager
def without_residuals(model: nn.Module, place: str) -> Iterator[None]:
    """Leave x out of the sum x + inner(x) of every sublayer."""
    added: dict[str, Tensor] = {}

    def keep(path: str, x: Tensor) -> Tensor:
        added[path.removesuffix(".added")] = x
        return x

    def leave_out(path: str, x: Tensor) -> Tensor:
        sublayer = path.removesuffix(".output")
        alone = added.pop(sublayer)
        return alone if place == "pre" else model.get_submodule(sublayer).norm(alone)

    with edit(model, "*.layers.*.added", keep), edit(model, "*.layers.*.output", leave_out):
        yield


def measure_layers(trainer: Trainer) -> tuple[list[float], list[float]]:
    """Return the gradient norm of each layer's weights, and the spread of its states."""
    with record(trainer.module, "*.feed_forward.output") as states:
        compute_gradients(trainer)
    norms = [gradient_norm(layer) for layer in trainer.module.decoder.layers]
    trainer.module.zero_grad(set_to_none=True)
    return norms, [measure_spread(x.detach()) for (x,) in states.values()]


def measure_spread(x: Tensor) -> float:
    """Return |x - mean over tokens| / |x| of states (B, T, D): 0 if all tokens have one state."""
    return float((x - x.mean(1, keepdim=True)).norm() / x.norm())


def unigram_loss(prepared: PreparedRun) -> float:
    """Return the loss of a model that knows only how frequent each token is."""
    train = prepared.data.train
    ids = torch.cat([torch.tensor(train[i][0][1:]) for i in range(len(train))])
    shares = torch.bincount(ids).double() / len(ids)
    return float(torch.special.entr(shares).sum())


def print_table(results: Results, describe: Callable[[Result], str]) -> None:
    """Print a row for each depth."""
    print("layers" + "".join(f"{name:>23}" for name in VARIANTS))
    for depth in DEPTHS:
        cells = (describe(results[variant, depth]) for variant in VARIANTS)
        print(f"{depth:<6}" + "".join(f"{cell:>23}" for cell in cells))


def draw(picture: str, results: Results, unigram: float) -> None:
    """Draw losses by depth, and gradients and spreads of the layers of the deepest models."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    left, middle, right = axes
    deepest = DEPTHS[-1]
    layers = range(1, deepest + 1)
    for i, (variant, (place, is_residual)) in enumerate(VARIANTS.items()):
        style: dict[str, Any] = {"color": f"C{i}", "label": variant, "markersize": 5}
        style |= {
            "linestyle": "-" if is_residual else "--",
            "marker": "." if place == "pre" else "x",
        }
        left.plot(DEPTHS, [results[variant, depth].loss for depth in DEPTHS], **style)
        middle.plot(layers, results[variant, deepest].gradient_norms, **style)
        right.plot(layers, results[variant, deepest].spreads, **style)
    left.axhline(unigram, color="gray", linewidth=1)
    left.annotate("token frequencies alone", (DEPTHS[0], unigram), va="bottom", color="gray")
    left.set(xlabel="layers", ylabel="training loss", xticks=DEPTHS)
    middle.set(xlabel=f"layer, of {deepest}", ylabel="gradient norm", yscale="log")
    middle.set_ylim(0.01, 10)
    right.set(xlabel=f"layer, of {deepest}", ylabel="spread of the tokens' states", yscale="log")
    for ax in axes:
        ax.grid(alpha=0.3)
    left.legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
