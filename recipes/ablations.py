"""Table 3 of "Attention Is All You Need" at tiny size: what each choice of the model is worth.

Trains `recipes/multi30k-en-de.yaml` with one setting changed at a time, each model for 2,250
updates instead of 5,000 (70 minutes of one core of an AMD EPYC, Zen 4), one after the other. A run
that was stopped goes on when the recipe is started again with the same folders.

Rows are the paper's: (A) heads of one size together, (B) the width of a head, (C) depth, (D)
regularization, (E) positions; and (F), heads split before the projection. Unlike in the paper's
rows (B), values are as wide as keys.

usage: python recipes/ablations.py TOK RUNS OUT.svg

TOK: the folder of Multi30k's tokenised files. RUNS: where the runs and their results are kept.
Also writes OUT.json. Needs `pip install pellucid[plot]`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from kept_results import keep, name_run, read_metrics, write_all

import pellucid
from pellucid.api.loaded import Loaded
from pellucid.config.read import merge_settings, read_yaml
from pellucid.metrics.translation import tokenised_bleu

RECIPE = Path(__file__).with_name("multi30k-en-de.yaml")
FILE = "{}.lc.norm.tok.{}"  # of a split and a language
BUDGET = {"max_updates": 2250, "precision": "auto", "threads": 1, "average": 5}


class Variant(NamedTuple):
    """One model of the table."""

    row: str
    """Its letter in the paper's table; "" for the base model."""
    name: str
    changes: Mapping[str, Any]
    """What differs from the recipe's settings."""


def model_variant(row: str, name: str, **model: Any) -> Variant:
    """Return a variant of the model's settings."""
    return Variant(row, name, {"model": model})


VARIANTS = (
    *(Variant("", f"base, seed {seed}", {"training": {"seed": seed}}) for seed in (1, 2, 3)),
    *(model_variant("A", f"{n} heads", n_heads=n) for n in (1, 2, 8, 16)),
    *(model_variant("B", f"heads {width} wide", d_head=width) for width in (8, 16)),
    *(model_variant("C", f"{n} layers", n_encoder_layers=n, n_decoder_layers=n) for n in (1, 2, 6)),
    *(model_variant("D", f"dropout {share}", dropout=share) for share in (0.0, 0.1, 0.5)),
    *(
        Variant("D", f"label smoothing {share}", {"objective": {"label_smoothing": share}})
        for share in (0.0, 0.2)
    ),
    model_variant("E", "learned positions", positions="learned"),
    model_variant("F", "split before the projection", head_split="slice"),
)


@dataclass(frozen=True)
class Result:
    """What one model reaches."""

    row: str
    name: str
    parameters: int
    perplexity: float
    """Of the validation pairs, per token, after the last update."""
    valid: float
    """Tokenised BLEU of the mean of the last checkpoints."""
    test: float
    """The same on test2016."""


def main(tok: str, runs: str, picture: str) -> None:
    """Train what is not trained yet, print and draw."""
    results = []
    for variant in VARIANTS:
        run = Path(runs) / name_run(variant.name)
        results.append(keep(run, Result, partial(measure, variant, Path(tok), run)))
    print_table(results)
    write_all(Path(picture).with_suffix(".json"), results)
    draw(picture, results)


def measure(variant: Variant, tok: Path, run: Path) -> Result:
    """Train a model, or go on training it, and return its result."""
    model = pellucid.train(choose_settings(variant, tok, run))
    return Result(
        variant.row,
        variant.name,
        sum(p.numel() for p in model.bundle.model.parameters()),
        read_metrics(run, "valid_perplexity")[-1],
        measure_bleu(model, tok, "val"),
        measure_bleu(model, tok, "test_2016_flickr"),
    )


def choose_settings(variant: Variant, tok: Path, run: Path) -> dict[str, Any]:
    """Return the settings of a run; all runs have the tokenizer of the first."""
    sides = ("en", "de")
    changes = {
        "run_dir": str(run),
        "data": {
            "train": [str(tok / f"{FILE.format('train', side)}.gz") for side in sides],
            "valid": [str(tok / FILE.format("val", side)) for side in sides],
        },
        "training": BUDGET,
    }
    if variant is not VARIANTS[0]:
        changes["tokenizer"] = {"path": str(run.parent / name_run(VARIANTS[0].name) / "tokenizer")}
    return merge_settings(merge_settings(read_yaml(RECIPE), changes), variant.changes)


def measure_bleu(model: Loaded, tok: Path, split: str) -> float:
    """Return the tokenised BLEU of a model's translations of a split."""
    sources, references = (
        (tok / FILE.format(split, side)).read_text("utf-8").rstrip("\n").split("\n")
        for side in ("en", "de")
    )
    texts = [translation.text for translation in model.translate(sources)]
    return tokenised_bleu(texts, references).value


def print_table(results: list[Result]) -> None:
    """Print a row of Markdown for each model."""
    print("| | model | parameters | validation perplexity | validation BLEU | test2016 |")
    print("|---|---|---|---|---|---|")
    for r in results:
        row = f"({r.row})" if r.row else ""
        print(
            f"| {row} | {r.name} | {r.parameters:,} | {r.perplexity:.2f} | {r.valid:.2f}"
            f" | {r.test:.2f} |"
        )


def draw(picture: str, results: list[Result]) -> None:
    """Draw the BLEU of each model beside the range of the base model's seeds."""
    from matplotlib import pyplot

    base, others = ([r for r in results if bool(r.row) is changed] for changed in (False, True))
    scores = [result.test for result in base]
    figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
    axes.axvspan(min(scores), max(scores), color="C0", alpha=0.2, label="base, three seeds")
    axes.axvline(mean(scores), color="C0")
    for i, result in enumerate(others):
        axes.plot(result.test, i, "o", color=f"C{'ABCDEF'.index(result.row) + 1}")
        axes.text(result.test, i, f"  {result.test:.1f}", va="center", fontsize=8)
    axes.set_yticks(range(len(others)), labels=[f"({r.row}) {r.name}" for r in others])
    axes.invert_yaxis()
    axes.set(xlabel="tokenised BLEU, Multi30k test2016", title="One setting changed")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
