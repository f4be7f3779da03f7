"""Heads split after and before the projection: parameters, time, loss and BLEU.

Vaswani et al. 2017, section 3.2.2, projects the whole vector for each head. Cutting the vector into
slices first needs 1/H of these weights, but each head sees only its slice. Measured on
English-German translators of the built-in corpus. In the third one the feed-forward layers are
wider, so that it has as many weights as the first.

usage: python recipes/head_split.py OUT.svg [UPDATES]

Also writes OUT.json. Needs `pip install pellucid[plot]`.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median

import torch
from comparison import TRANSLATOR, fit, make_trainer, prepare, report, score_translator
from layer_costs import bind, time_once

from pellucid.config.model import ModelConfig
from pellucid.nn.attention import SelfAttention
from pellucid.nn.init import initialize
from pellucid.training.prepare import PreparedRun

VARIANTS = {  # name: settings of the model
    "after": {"head_split": "projection"},
    "before": {"head_split": "slice"},
    "before, wider": {"head_split": "slice", "d_ff": 471},
}
SEEDS = (1, 2, 3)
WIDTHS = (128, 256, 512)
LENGTH, HEADS, ROUNDS = 64, 8, 7


@dataclass(frozen=True)
class Result:
    """One translator."""

    variant: str
    seed: int
    parameters: int
    loss: float
    """Validation loss per token."""
    bleu: float


def main(picture: str, updates: str = "300") -> None:
    """Measure layers, train all, print and draw."""
    torch.set_num_threads(1)
    times = {width: time_layers(width) for width in WIDTHS}
    print(f"milliseconds of a forward and a backward pass of {LENGTH} tokens, {HEADS} heads")
    print("width   after  before")
    for width, row in times.items():
        print(f"{width:<6}" + "".join(f"{milliseconds:8.3f}" for milliseconds in row))
    prepared = prepare(TRANSLATOR, {}, int(updates))
    results = [run(prepared, variant, seed) for seed in SEEDS for variant in VARIANTS]
    figures = {"milliseconds": times, "results": list(map(asdict, results))}
    Path(picture).with_suffix(".json").write_text(json.dumps(figures), "utf-8")
    print(f"\nafter {updates} updates, mean of {len(SEEDS)} seeds (lowest to highest)")
    print(f"{'split':<15} parameters   loss                     BLEU")
    for variant in VARIANTS:
        rows = [result for result in results if result.variant == variant]
        loss, bleu = describe([r.loss for r in rows], 3), describe([r.bleu for r in rows], 1)
        print(f"{variant:<15} {count(rows, variant):>10,}   {loss:<22}   {bleu}")
    draw(picture, times, results)


def time_layers(width: int) -> list[float]:
    """Return the milliseconds of self-attention for each split, in alternating rounds."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, LENGTH, width, generator=rng).requires_grad_()
    layers = []
    for split in ("projection", "slice"):
        layer = SelfAttention(ModelConfig(d_model=width, n_heads=HEADS, head_split=split))
        initialize(layer, 0)
        layers.append(bind(layer))
    rounds = [[time_once(layer, x) for layer in layers] for _ in range(ROUNDS)]
    return [1000 * median(seconds) for seconds in zip(*rounds, strict=True)]


def run(prepared: PreparedRun, variant: str, seed: int) -> Result:
    """Train and score one translator."""
    trainer = make_trainer(prepared, VARIANTS[variant], seed)
    fit(trainer)
    loss = trainer.reporter.values("valid_loss")[-1]  # type: ignore[attr-defined]
    parameters = sum(p.numel() for p in trainer.module.parameters())
    result = Result(variant, seed, parameters, loss, score_translator(trainer))
    report(str(result))
    return result


def describe(values: list[float], digits: int) -> str:
    """Return mean and range as text."""
    low, middle, high = (f"{f(values):.{digits}f}" for f in (min, mean, max))
    return f"{middle} ({low} to {high})"


def draw(picture: str, times: dict[int, list[float]], results: list[Result]) -> None:
    """Draw the time of a layer by its width, and the loss and BLEU of each seed."""
    from matplotlib import pyplot

    figure, (left, *others) = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for i, split in enumerate(("after", "before")):
        left.plot(WIDTHS, [times[width][i] for width in WIDTHS], marker=".", label=split)
    left.set(xlabel="width", ylabel="milliseconds of a layer", xticks=WIDTHS, ylim=0)
    left.legend()
    left.grid(alpha=0.3)
    names = [f"{name}\n{count(results, name):,}" for name in VARIANTS]
    labels = {"loss": "validation loss", "bleu": "BLEU"}
    for ax, (field, label) in zip(others, labels.items(), strict=True):
        for i, variant in enumerate(VARIANTS):
            values = [getattr(result, field) for result in results if result.variant == variant]
            ax.plot([i] * len(values), values, "o", color=f"C{i}", alpha=0.6)
            ax.plot([i - 0.2, i + 0.2], [mean(values)] * 2, color=f"C{i}")
        ax.set(ylabel=label, xlim=(-0.6, len(VARIANTS) - 0.4))
        ax.set_xticks(range(len(VARIANTS)), labels=names)
        ax.grid(alpha=0.3, axis="y")
    figure.savefig(picture)


def count(results: list[Result], variant: str) -> int:
    """Return the number of parameters of a variant."""
    return next(result.parameters for result in results if result.variant == variant)


if __name__ == "__main__":
    main(*sys.argv[1:])
