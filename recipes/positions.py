"""Positions on and off: what a translator loses without them, and the algebra of why.

Attention itself knows no order (Vaswani et al. 2017, section 3.5): without positions an encoder
maps 猫追狗 (a cat chases a dog) and 狗追猫 (a dog chases a cat) to the same states, permuted. The
recipe shows this on the shipped Chinese-English model, then trains English-German translators of
the built-in corpus with each kind of positions. `order` is the share of comparisons ("The jacket is
cheaper than the shirt.") whose translation the model prefers to that with both nouns exchanged.

usage: python recipes/positions.py OUT.svg [UPDATES]

Also writes OUT.json. Needs `pip install pellucid[plot]`.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from comparison import TRANSLATOR, fit, make_trainer, prepare, report, score_translator
from torch import Tensor, nn

import pellucid
from pellucid import garden
from pellucid.formats.bundle import Bundle
from pellucid.formats.special_ids import wrap_source
from pellucid.inference.score import score
from pellucid.inference.translate import translate
from pellucid.nn.masks import Mask
from pellucid.nn.positions import NoPositions
from pellucid.training.prepare import PreparedRun

CHASES = ("猫追狗", "狗追猫")
VARIANTS = {  # name: setting of the model, stack whose position vectors are removed
    "sinusoids": ("sinusoid", ""),
    "learned": ("learned", ""),
    "bias by distance": ("buckets", ""),
    "encoder only": ("sinusoid", "decoder"),
    "decoder only": ("sinusoid", "encoder"),
    "none": ("none", ""),
}
TESTED = 3000  # test sentences, of which the comparisons are used


@dataclass(frozen=True)
class Result:
    """Scores of one translator."""

    variant: str
    loss: float
    """Validation loss per token."""
    bleu: float
    order: float


class Choice(NamedTuple):
    """A source with its translation, and that of the source with exchanged nouns."""

    source: str
    right: str
    wrong: str


def main(picture: str, updates: str = "400") -> None:
    """Show the algebra, train all, print and draw."""
    print_algebra()
    prepared = prepare(TRANSLATOR, {}, int(updates))
    choices = list(make_choices())
    results = [run(prepared, variant, choices) for variant in VARIANTS]
    Path(picture).with_suffix(".json").write_text(json.dumps(list(map(asdict, results))), "utf-8")
    print(f"\nafter {updates} updates; order: of {len(choices)} comparisons")
    print(f"{'positions':<18} loss   BLEU   order")
    for r in results:
        print(f"{r.variant:<18} {r.loss:.3f}  {r.bleu:4.1f}  {r.order:6.1%}")
    draw(picture, results)


def print_algebra() -> None:
    """Print how the encoder's states and the translations of two permuted texts differ."""
    bundle = pellucid.load("zh-en").bundle
    print(f"{' and '.join(CHASES)}: largest difference of a token's states; translations")
    for name in ("with positions", "without"):
        if name == "without":
            remove_positions(bundle.model, "encoder")
        texts = [best.text for best, *_ in translate(bundle, CHASES)]
        print(f"{name:<15} {state_difference(bundle):.1e}  {' | '.join(texts)}")


def remove_positions(model: nn.Module, stack: str) -> None:
    """Let a stack's embedding add nothing to the vectors of its tokens."""
    model.get_submodule(stack).embedding.positions = NoPositions(model.config)  # type: ignore[union-attr]


@torch.no_grad()
def state_difference(bundle: Bundle) -> float:
    """Return the largest difference of any token's encoder state between the two texts."""
    encoded = bundle.tokenizers.source.encode_batch(CHASES)
    first, second = (wrap_source(bundle, ids) for ids in encoded)
    permutation = [first.index(token) for token in second]  # no token occurs twice
    states: list[Tensor] = [
        bundle.model.encoder(torch.tensor([ids]), Mask()) for ids in (first, second)
    ]
    return float((states[0][:, permutation] - states[1]).abs().max())


def make_choices() -> Iterator[Choice]:
    """Yield comparisons of two singular nouns from the test sentences, in both orders."""
    pairs = [
        (sentence.sides["en"].text, sentence.sides["de"].text)
        for sentence in garden.sentences(TESTED, split="test")
        if sentence.kind in ("comparison", "description")
    ]
    singular = {found[1] for en, _ in pairs if (found := re.match(r"The (\w+) is ", en))}
    for en, de in pairs:
        english, german = exchange(en, "is", "than"), exchange(de, "ist", "als")
        if english and german and english.split()[1] in singular:
            yield Choice(en, right=de, wrong=german)
            yield Choice(english, right=german, wrong=de)


def exchange(text: str, verb: str, than: str) -> str:
    """Return "The jacket is cheaper than the shirt." with both nouns exchanged, else ""."""
    parts = re.fullmatch(rf"(\w+) (\w+) {verb} (.+) {than} (\w+) (\w+)\.", text)
    if parts is None:
        return ""
    first, noun, quality, second, other = parts.groups()
    return f"{second.capitalize()} {other} {verb} {quality} {than} {first.lower()} {noun}."


def run(prepared: PreparedRun, variant: str, choices: list[Choice]) -> Result:
    """Train and score one translator."""
    positions, removed = VARIANTS[variant]
    trainer = make_trainer(prepared, {"positions": positions})
    if removed:
        remove_positions(trainer.module, removed)
    fit(trainer)
    loss = trainer.reporter.values("valid_loss")[-1]  # type: ignore[attr-defined]
    bleu = score_translator(trainer)
    bundle = trainer.task.export(trainer.module)["final"]
    right = score(bundle, [(choice.source, choice.right) for choice in choices])
    wrong = score(bundle, [(choice.source, choice.wrong) for choice in choices])
    preferred = [a.log_prob > b.log_prob for a, b in zip(right, wrong, strict=True)]
    result = Result(variant, loss, bleu, sum(preferred) / len(preferred))
    report(str(result))
    return result


def draw(picture: str, results: list[Result]) -> None:
    """Draw the scores of each kind of positions."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3), layout="constrained", sharey=True)
    labels = {"loss": "validation loss", "bleu": "BLEU", "order": "order, share right"}
    names = [result.variant for result in results]
    for ax, (field, label) in zip(axes, labels.items(), strict=True):
        ax.barh(names, [getattr(result, field) for result in results], color="C0", height=0.6)
        ax.set(xlabel=label)
        ax.grid(alpha=0.3, axis="x")
    axes[0].invert_yaxis()
    axes[2].axvline(0.5, color="gray", linewidth=1)
    axes[2].set_xlim(0, 1)
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
