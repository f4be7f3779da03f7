"""Trainings of variants of one model on the same sentences of the built-in corpus.

Used by depth.py, score_scale.py, positions.py and head_split.py. Uses one CPU thread and fp32.
"""

import atexit
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pellucid import garden
from pellucid.config.read import merge_settings
from pellucid.inference.translate import translate
from pellucid.metrics.translation import bleu
from pellucid.tasks.catalog import build_task
from pellucid.training.distribution import World
from pellucid.training.prepare import PreparedRun, locate_run, prepare_run
from pellucid.training.reporter import Quiet
from pellucid.training.run_directory import RunDirectory
from pellucid.training.stream import Stream
from pellucid.training.trainer import Runtime, Trainer

SENTENCES = {"train": 10_000, "valid": 300}
LANGUAGE_MODEL = {
    "task": "language_modeling",
    "size": "gpt2-nanogpt",
    "data": {"max_length": 32},
    "tokenizer": {"vocab_size": 500},
    "training": {"batch_examples": 8, "schedule": "constant", "warmup": 40, "weight_decay": 0.0},
}
TRANSLATOR = {
    "task": "translation",
    "size": "tiny",
    "data": {"source_language": "en", "target_language": "de"},
    "tokenizer": {"vocab_size": 1000},
    "model": {"n_encoder_layers": 2, "n_decoder_layers": 2, "dropout": 0.0},
    "training": {"max_tokens": 768, "schedule": "inverse-sqrt", "rate": 3e-3, "warmup": 100},
}


class Records(Quiet):
    """Keeps the metrics that a trainer logs."""

    def __init__(self) -> None:
        self.records: list[dict[str, float]] = []

    def log_metrics(self, record: dict[str, float]) -> None:
        self.records.append(record)

    def values(self, name: str) -> list[float]:
        """Return all values of a metric, in order."""
        return [record[name] for record in self.records if name in record]


def prepare(settings: Mapping[str, Any], changes: Mapping[str, Any], updates: int) -> PreparedRun:
    """Encode the corpus and train its tokenizer, once for all variants of a model.

    settings: LANGUAGE_MODEL (of English) or TRANSLATOR, completed by `changes`.
    """
    directory = Path(tempfile.mkdtemp(prefix="comparison-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    languages = ("en",) if settings is LANGUAGE_MODEL else ("en", "de")
    files = {split: write_corpus(directory, split, languages) for split in SENTENCES}
    once = {"max_updates": updates, "validate_every": updates, "checkpoint_every": updates}
    training = {"threads": 1, "precision": "fp32", "log_every": 25, "average": 1, **once}
    settings = merge_settings(settings, {"data": files, "training": training, "device": "cpu"})
    settings = merge_settings(settings, {**changes, "run_dir": str(directory / "run")})
    located, run = locate_run(settings, "the comparison")
    return prepare_run(located, run, World(), "the comparison", Quiet())


def write_corpus(directory: Path, split: str, languages: tuple[str, ...]) -> list[str]:
    """Write sentences to a file for each language; return the names of the files."""
    pairs = list(garden.pairs(SENTENCES[split], "en", "de", split=split))
    paths = [directory / f"{split}.{language}" for language in languages]
    for path, texts in zip(paths, zip(*pairs, strict=True), strict=False):
        path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return [str(path) for path in paths]


def make_trainer(prepared: PreparedRun, model: Mapping[str, Any], seed: int = 1) -> Trainer:
    """Return a trainer of a new model with these settings; its reporter is `Records`."""
    c = prepared.config
    training = replace(c.training, seed=seed)
    config = replace(c, model=replace(c.model, **model), training=training)
    task = build_task(replace(prepared.task.inputs, config=config))  # type: ignore[attr-defined]
    run = RunDirectory(Path(tempfile.mkdtemp(prefix="variant-", dir=c.run_dir)))
    return Trainer(task, prepared.data, config, run, Runtime(reporter=Records()))


def fit(trainer: Trainer) -> None:
    """Train to the last update. Raises: KeyboardInterrupt if a signal stops it."""
    if trainer.fit().signal is not None:
        raise KeyboardInterrupt


def compute_gradients(trainer: Trainer) -> None:
    """Leave the gradient of the loss of the first batch in each weight's `grad`."""
    micro = next(Stream(trainer.task, trainer.data.train, trainer.config).iterate_from(0))
    trainer.module.zero_grad(set_to_none=True)
    trainer.loss_module(micro.batch, trainer.task.counts(micro.batch)).loss.backward()


def gradient_norm(module: torch.nn.Module) -> float:
    """Return the norm of the gradients of a module's weights."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients))


def report(message: str) -> None:
    """Print progress on standard error."""
    print(message, file=sys.stderr, flush=True)


def score_translator(trainer: Trainer, n_sentences: int = 200) -> float:
    """Return the BLEU of greedy translations of test sentences, whose clauses training lacks."""
    sentences = list(garden.pairs(n_sentences, "en", "de", split="test"))
    bundle = trainer.task.export(trainer.module.eval())["final"]
    greedy = replace(bundle.decoding, beam=1)
    results = translate(bundle, [english for english, _ in sentences], greedy)
    outputs, references = [best.text for best, *_ in results], [german for _, german in sentences]
    return bleu(outputs, references, "de").value
