"""What each pretraining objective gives: one corpus, one budget, and one task after it.

Models of one shape (256 wide, 4 layers a stack) learn "War and Peace" and Shakespeare with each
objective and are then fine-tuned on SST-2, with three seeds. Beside them are the same models
fine-tuned after a single update of pretraining, which leaves their weights random. A run that was
stopped goes on when the recipe is started again with the same folders.

usage: python recipes/objectives.py DATA RUNS OUT.svg

DATA: the folder of `war_and_peace`, `tiny_shakespeare` and `sst2`. RUNS: where the corpus, the runs
and their results are kept. Also writes OUT.json. Needs `pip install pellucid[plot]`.
"""

import gzip
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from kept_results import keep, name_run, read_metrics, write_all

import pellucid
from pellucid.api.loaded import Loaded

UPDATES, WARMUP = (1, 1500), 150
SEEDS = (1, 2, 3)
SPEECHES = 30  # of Shakespeare, in a document
TOKENIZER = {"vocab_size": 8000, "lowercase": True}
PRETRAINING = {
    "max_tokens": 4096,
    "rate": 5e-4,
    "schedule": "linear",
    "validate_every": 250,
    "checkpoint_every": 250,
    "average": 1,
    "threads": 1,
}
FINE_TUNING = {"batch_examples": 32, "epochs": 4, "rate": 2e-4, "patience": 0, "threads": 1}


class Objective(NamedTuple):
    """A way to learn from raw text."""

    name: str
    size: str
    task: str
    settings: Mapping[str, Any] = {}
    """Of the objective."""


OBJECTIVES = (
    Objective("masked tokens", "bert-mini", "masked_lm"),
    Objective("masked tokens, next sentence", "bert-mini", "masked_lm", {"pairs": "next_sentence"}),
    Objective("replaced tokens", "electra-mini", "replaced_token"),
    Objective("span corruption", "t5-efficient-tiny", "span_corruption"),
    Objective("denoising", "bart-mini", "denoising"),
)


@dataclass(frozen=True)
class Result:
    """One fine-tuned model."""

    objective: str
    updates: int
    """Of pretraining."""
    seed: int
    """Of fine-tuning."""
    parameters: int
    dev: float
    """Best accuracy on dev, by which the checkpoint is chosen."""
    test: float


def main(data: str, runs: str, picture: str) -> None:
    """Train what is not trained yet, print and draw."""
    folder, results = Path(runs), []
    write_corpus(Path(data), folder)
    for objective in OBJECTIVES:
        for updates in UPDATES:
            start = folder / f"{name_run(objective.name)}-{updates}"
            for seed in SEEDS:
                run = start.with_name(f"{start.name}-sst2-seed-{seed}")
                sentences = Path(data) / "sst2" / "sentences"
                compute = partial(measure, objective, updates, seed, (start, run), sentences)
                results.append(keep(run, Result, compute))
    print_table(results)
    write_all(Path(picture).with_suffix(".json"), results)
    draw(picture, results)


def write_corpus(data: Path, folder: Path) -> None:
    """Write train.txt and valid.txt: a sentence a line, an empty line after each document.

    A document is a chapter of the novel, or 30 speeches of the plays. Each 20th is for validation.
    """
    texts = (
        gzip.decompress((data / name).read_bytes()).decode("utf-8-sig").replace("\r", "")
        for name in ("war_and_peace/warandpeace.txt.gz", "tiny_shakespeare/input.txt.gz")
    )
    novel, plays = texts
    novel = novel.split("*** START OF")[1].split("End of the Project Gutenberg")[0]
    chapters = re.split(r"^CHAPTER [IVXL]+$", novel, flags=re.MULTILINE)[1:]
    speeches = plays.split("\n\n")
    scenes = ["\n\n".join(speeches[i : i + SPEECHES]) for i in range(0, len(speeches), SPEECHES)]
    documents = ["\n".join(split_sentences(text)) for text in (*chapters, *scenes)]
    parts: dict[str, list[str]] = {"train": [], "valid": []}
    for i, document in enumerate(documents):
        parts["train" if i % 20 else "valid"].append(document)
    folder.mkdir(parents=True, exist_ok=True)
    for name, chosen in parts.items():
        (folder / f"{name}.txt").write_text("\n\n".join(chosen) + "\n", "utf-8")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text whose lines are wrapped and whose paragraphs are apart."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    # After . ! or ?, and a quotation mark that closes there.
    end = re.compile(r"(?<=[.!?])(?=\s)|(?<=[.!?][”’])(?=\s)")
    sentences = (s.strip() for p in paragraphs for s in re.split(end, p))
    return [sentence for sentence in sentences if sentence]


def measure(
    objective: Objective, updates: int, seed: int, runs: tuple[Path, Path], sentences: Path
) -> Result:
    """Pretrain if that is not done, fine-tune, and return the accuracies.

    runs: of pretraining and of fine-tuning.
    """
    start, run = runs
    if not (start / "final").is_dir():
        pretrain(objective, updates, start)
    model = pellucid.train(
        {
            "task": "classification",
            "start_from": str(start),
            "run_dir": str(run),
            "data": {
                "train": [str(sentences / "train.tsv")],
                "valid": [str(sentences / "dev.tsv")],
                "max_length": 128,
            },
            "training": {**FINE_TUNING, "seed": seed},
        }
    )
    return Result(
        objective.name,
        updates,
        seed,
        sum(p.numel() for p in model.bundle.model.parameters()),
        max(read_metrics(run, "valid_accuracy")),
        measure_accuracy(model, sentences / "test.tsv"),
    )


def pretrain(objective: Objective, updates: int, start: Path) -> None:
    """Train a model on the corpus, or go on training it."""
    files = {name: [str(start.with_name(f"{name}.txt"))] for name in ("train", "valid")}
    pellucid.train(
        {
            "task": objective.task,
            "size": objective.size,
            "run_dir": str(start),
            "objective": objective.settings,
            "data": {**files, "documents": "blank_line", "max_length": 128},
            "tokenizer": TOKENIZER,
            "training": {
                **PRETRAINING,
                "max_updates": updates,
                "warmup": min(WARMUP, updates - 1),
            },
        }
    )


def measure_accuracy(model: Loaded, file: Path) -> float:
    """Return the share of texts, of a file of text and label, whose label the model finds."""
    lines = file.read_text("utf-8").rstrip("\n").split("\n")
    texts, labels = zip(*(line.split("\t") for line in lines), strict=True)
    found = model.classify(list(texts))
    return mean(c.labels[0] == label for c, label in zip(found, labels, strict=True))


def group(results: list[Result], objective: Objective, updates: int) -> list[Result]:
    """Return the results of all seeds."""
    return [r for r in results if (r.objective, r.updates) == (objective.name, updates)]


def print_table(results: list[Result]) -> None:
    """Print a row of Markdown for each objective and number of updates."""
    print("| objective | model | updates | parameters | dev accuracy | test accuracy |")
    print("|---|---|---|---|---|---|")
    for objective in OBJECTIVES:
        for updates in UPDATES:
            chosen = group(results, objective, updates)
            dev, test = (
                f"{mean(values):.3f} ± {stdev(values):.3f}"
                for values in ([r.dev for r in chosen], [r.test for r in chosen])
            )
            print(
                f"| {objective.name} | {objective.size} | {updates:,} |"
                f" {chosen[0].parameters:,} | {dev} | {test} |"
            )


def draw(picture: str, results: list[Result]) -> None:
    """Draw the test accuracy of each seed, before and after pretraining."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.5), layout="constrained")
    for y, objective in enumerate(OBJECTIVES):
        for i, updates in enumerate(UPDATES):
            scores = [result.test for result in group(results, objective, updates)]
            name = "random weights" if updates == 1 else f"{updates:,} updates of pretraining"
            label = None if y else name
            axes.plot(scores, [y] * len(scores), "o", color=f"C{i}", alpha=0.7, label=label)
    axes.set_yticks(range(len(OBJECTIVES)), labels=[objective.name for objective in OBJECTIVES])
    axes.invert_yaxis()
    axes.set(xlabel="accuracy on SST-2's test sentences, three seeds")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
