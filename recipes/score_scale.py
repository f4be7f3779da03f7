"""Scores with and without the division by sqrt(d): rows of weights, gradients, training loss.

Vaswani et al. 2017, section 3.2.1, measured on decoders of the built-in corpus that differ in the
width of their heads only: d_model is 256, so that 16 heads of 16 and one of 256 have the same
weights, and queries and keys start with variance 1, as the paper assumes.

usage: python recipes/score_scale.py OUT.svg [UPDATES]

Also writes OUT.json. Needs `pip install pellucid[plot]`.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from comparison import LANGUAGE_MODEL, compute_gradients, fit, make_trainer, prepare, report
from torch import Tensor, nn

from pellucid.nn.attention import Attention
from pellucid.taps import edit
from pellucid.training.prepare import PreparedRun
from pellucid.training.trainer import Trainer

WIDTH = 256
HEAD_WIDTHS = (16, 32, 64, 128, 256)
VARIANTS = {  # name: attention_scale, whether queries start as large as with the division
    "divided": ("sqrt", True),
    "not divided": ("none", True),
    "not divided, small queries": ("none", False),
}
CHANGES = {
    "model": {"d_model": WIDTH, "d_ff": WIDTH, "n_decoder_layers": 2},
    "training": {"rate": 1e-3},
}


@dataclass(frozen=True)
class Result:
    """What one model shows; all but the loss before training, for the first batch."""

    variant: str
    d_head: int
    loss: float
    """Mean training loss since the last multiple of 25 updates."""
    deviation: float
    """Standard deviation of the scores."""
    entropy: float
    """Mean entropy of the rows of weights, as a share of that of a uniform row."""
    gradient: float
    """Norm of the loss's gradient by all scores."""
    row_gradient: float
    """The same by the scores of one row: the median of the rows."""


Results = dict[tuple[str, int], Result]


def main(picture: str, updates: str = "150") -> None:
    """Train all, print and draw."""
    prepared = prepare(LANGUAGE_MODEL, CHANGES, int(updates))
    results = {(v, width): run(prepared, v, width) for width in HEAD_WIDTHS for v in VARIANTS}
    figures = [asdict(result) for result in results.values()]
    Path(picture).with_suffix(".json").write_text(json.dumps(figures), "utf-8")
    print("before training: deviation of the scores; entropy of the rows (uniform: 1)")
    print_table(results, lambda r: f"{r.deviation:.2f}  {r.entropy:.3f}")
    print("\nbefore training: gradient norm by all scores; by those of the median row")
    print_table(results, lambda r: f"{r.gradient:.1e}  {r.row_gradient:.1e}")
    print(f"\ntraining loss after {updates} updates")
    print_table(results, lambda r: f"{r.loss:.3f}")
    draw(picture, results)


def run(prepared: PreparedRun, variant: str, d_head: int) -> Result:
    """Measure a new decoder with heads of this width, then train it."""
    scale, is_large = VARIANTS[variant]
    model = {"n_heads": WIDTH // d_head, "attention_scale": scale}
    trainer = make_trainer(prepared, model)
    if scale == "none" and is_large:
        enlarge_queries(trainer.module)
    measured = measure_scores(trainer)
    fit(trainer)
    loss = trainer.reporter.values("loss")[-1]  # type: ignore[attr-defined]
    report(f"{variant}, width {d_head}: loss {loss:.3f}")
    return Result(variant, d_head, loss, *measured)


@torch.no_grad()
def enlarge_queries(model: nn.Module) -> None:
    """Undo what `nn/init.py` does for models that do not divide: queries smaller by sqrt(d)."""
    for module in model.modules():
        if isinstance(module, Attention):
            module.q.weight.mul_(module.d_head**0.5)


def measure_scores(trainer: Trainer) -> tuple[float, float, float, float]:
    """Return deviation of the scores, entropy of the rows, and both gradient norms."""
    layers: list[Tensor] = []

    def keep(path: str, scores: Tensor) -> Tensor:
        scores.retain_grad()
        layers.append(scores)
        return scores

    with edit(trainer.module, "*.scores", keep):
        compute_gradients(trainer)
    trainer.module.zero_grad(set_to_none=True)
    scores = torch.stack([each.detach() for each in layers])  # (layers, B, H, T, T)
    gradient = torch.stack([each.grad for each in layers if each.grad is not None])
    is_seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    entropy = torch.special.entr(scores.softmax(-1)).sum(-1)[..., 1:]  # the first row has one key
    shares = entropy / torch.arange(2, scores.shape[-1] + 1).log()
    row = gradient.norm(dim=-1)[..., 1:].median()
    return (
        float(scores[..., is_seen].std()),
        float(shares.mean()),
        float(gradient.norm()),
        float(row),
    )


def print_table(results: Results, describe: Callable[[Result], str]) -> None:
    """Print a row for each width of heads."""
    print("width" + "".join(f"{name:>28}" for name in VARIANTS))
    for width in HEAD_WIDTHS:
        cells = (describe(results[variant, width]) for variant in VARIANTS)
        print(f"{width:<5}" + "".join(f"{cell:>28}" for cell in cells))


def draw(picture: str, results: Results) -> None:
    """Draw entropy, gradient and loss by the width of heads."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    labels = {
        "entropy": "entropy of rows (uniform: 1)",
        "row_gradient": "gradient norm by the scores of a row",
        "loss": "training loss",
    }
    for ax, (field, label) in zip(axes, labels.items(), strict=True):
        for i, (variant, (_, is_large)) in enumerate(VARIANTS.items()):
            values = [getattr(results[variant, width], field) for width in HEAD_WIDTHS]
            style = {"marker": "." if is_large else "x", "linestyle": "-" if is_large else "--"}
            ax.plot(HEAD_WIDTHS, values, color=f"C{i}", label=variant, **style)
        ax.set(xlabel="width of a head", ylabel=label, xscale="log")
        ax.set_xticks(HEAD_WIDTHS, labels=list(map(str, HEAD_WIDTHS)))
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[1].set_yscale("log")
    axes[2].legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
