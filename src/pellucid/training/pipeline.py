"""From settings to a finished model: text, tokenizers, ids, training, averaging, export."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pellucid.config.data import DataConfig
from pellucid.config.read import build, merge
from pellucid.config.run import RunConfig
from pellucid.data.read import languages
from pellucid.data.store import PairStore, build_store, content_key
from pellucid.files import publish
from pellucid.formats.save_bundle import save_bundle
from pellucid.locks import RunLock
from pellucid.nn.device import choose_device
from pellucid.nn.kernel_choice import pinned
from pellucid.nn.kernels import use_kernels
from pellucid.tasks.translation import TranslationTask, sized
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizers
from pellucid.training import checkpoints
from pellucid.training.board import Board
from pellucid.training.cards import model_card
from pellucid.training.corpus import Corpus
from pellucid.training.defaults import complete
from pellucid.training.distribution import World, world
from pellucid.training.reporter import LogFile, Quiet, Reporter, Tee
from pellucid.training.run_directory import RunDirectory
from pellucid.training.run_kernels import run_kernels
from pellucid.training.state import Journey, averaged_steps
from pellucid.training.trainer import Place, Trainer
from pellucid.training.vectors import check_files, first_vectors

SOME_PAIRS = 100_000
"""Any number: settings are checked once before the true one is known."""


@dataclass(frozen=True)
class Trained:
    """How a run stands when its process ends."""

    run: RunDirectory
    config: RunConfig
    journey: Journey
    signal: int | None
    """Which signal stopped it before its end, if one did; the next start goes on from there."""


def train(
    given: Mapping[str, Any], *, where: str = "settings", reporter: Reporter | None = None
) -> Trained:
    """Train what the settings say, or go on with it, in their run directory.

    Raises: DataError, ConfigError before anything is trained if text or settings are at fault;
    ResourceError if another process trains there or the disk is full.
    """
    pinned()  # a wrong PELLUCID_KERNELS is refused before any work is done
    with world() as w:
        given, run = _located(given, where)
        with RunLock(run.path) if w.is_main else nullcontext():
            heard = _heard(run, reporter) if w.is_main else Quiet()
            return _train(given, run, w, where, heard)


def build_data(
    given: Mapping[str, Any], *, where: str = "settings", reporter: Reporter | None = None
) -> RunDirectory:
    """Make a run's directory with its config, tokenizers and ids, for `train` to go on from there.

    Raises: as `train`.
    """
    given, run = _located(given, where)
    with RunLock(run.path):
        _begun(given, run, World(), where, _heard(run, reporter))
    return run


def _train(
    given: Mapping[str, Any], run: RunDirectory, w: World, where: str, reporter: Reporter
) -> Trained:
    device = choose_device(given.get("device") or "auto")
    task, examples = _begun(given, run, w, where, reporter)
    config = task.config
    if config.training.tensorboard and w.is_main:
        reporter = Tee(reporter, Board(run.path))
    task = replace(task, vectors=first_vectors(config, task.tokenizers, run, reporter))
    with use_kernels(run_kernels(run, device, w, reporter)):
        trainer = Trainer(task, examples, config, run, Place(device, w, reporter))
        outcome = trainer.fit()
        if outcome.signal is None and w.is_main:
            _finish(task, trainer, run)
    w.wait()
    return Trained(run, config, outcome.journey, outcome.signal)


def _located(given: Mapping[str, Any], where: str) -> tuple[dict[str, Any], RunDirectory]:
    """The settings, with the languages that the files tell, and the run's directory.

    What is left open stays as it is in a run that goes on.
    """
    data = _with_languages(build(DataConfig, given.get("data") or {}, where))
    run = RunDirectory(Path(given.get("run_dir") or _default_directory(data)))
    kept = run.kept()
    if kept is not None and given.get("size") in (None, "auto", kept.size):
        given = merge(asdict(kept), given)
        data = _with_languages(build(DataConfig, given["data"], where))
    return {**given, "data": vars(data)}, run


def _begun(
    given: Mapping[str, Any], run: RunDirectory, w: World, where: str, reporter: Reporter
) -> tuple[TranslationTask, PairStore]:
    """Complete the config, record it, and make what training reads."""
    device = choose_device(given.get("device") or "auto")
    data = build(DataConfig, given["data"], where)
    on_cpu = device.type == "cpu"
    complete(given, SOME_PAIRS, on_cpu, where)  # what is wrong with settings is said before reading
    corpus = Corpus(data)
    config, notes = complete(given, corpus.n_read, on_cpu, where)
    check_files(config, run)
    config = replace(config, run_dir=str(run.path))
    torch.set_num_threads(config.training.threads or torch.get_num_threads())
    if w.is_main:
        run.begin(config, corpus.digests)
        for note in notes:
            reporter.say(note)
    task, examples = _prepared(config, corpus, run, w, reporter)
    if w.is_main:
        reporter.say(_summary(config, task, examples))
    return task, examples


def _prepared(
    config: RunConfig, corpus: Corpus, run: RunDirectory, w: World, reporter: Reporter
) -> tuple[TranslationTask, PairStore]:
    """Tokenizers and ids: made by the first process, read by all."""
    if not w.is_main:
        w.wait()
    tokenizers = _tokenizers(config, corpus, run, reporter)
    reporter.say("reading the training data")
    c = config.data
    train, valid = ([corpus.digests[file] for file in files] for files in (c.train, c.valid))
    key = content_key(train, tokenizers, c, f"train {corpus.held_out}")
    examples = build_store(corpus.train(), tokenizers, run.data, key, c.max_length)
    key = content_key(valid or train, tokenizers, c, f"valid {corpus.held_out}")
    held_out = build_store(corpus.valid, tokenizers, run.data, key, c.max_length)
    if w.is_main:
        w.wait()
    longest = int(examples.lengths[:, 0].max())
    return TranslationTask(config, tokenizers, held_out, corpus.valid, longest), examples


def _tokenizers(
    config: RunConfig, corpus: Corpus, run: RunDirectory, reporter: Reporter
) -> Tokenizers:
    """The run's own, made or copied once: what becomes of the original does not matter then."""
    if run.tokenizers.is_dir():
        return Tokenizers.load(run.tokenizers)
    if config.tokenizer.path:
        tokenizers = Tokenizers.load(Path(config.tokenizer.path)).with_end_tokens()
    else:
        reporter.say("learning the tokenizer")
        tokenizers = train_tokenizers(corpus.train, config.tokenizer)
    with publish(run.tokenizers) as temp:
        tokenizers.save(temp)
    return tokenizers


def _finish(task: TranslationTask, trainer: Trainer, run: RunDirectory) -> None:
    """Give the module its final weights and publish it as `final/`."""
    c, journey = trainer.config, trainer.journey
    group = "ema" if c.ema else "weights"
    steps = averaged_steps(c, journey.step) if c.average > 1 else [journey.best_step]
    paths = [checkpoints.path_of(run.path, step) for step in steps]
    tensors = checkpoints.average(paths, group)
    with torch.no_grad():
        for name, parameter in trainer.module.named_parameters():
            parameter.copy_(tensors[name])
    trainer.module.eval()
    with torch.no_grad():
        scores = task.validate(trainer.module, trainer.device)
    trainer.reporter.scores({f"final_{name}": value for name, value in scores.items()})
    for name, directory in task.export(trainer.module.cpu()).items():
        card = model_card(task.config, scores, journey.step)
        save_bundle(run.path / name, replace(directory, card=card))


def _heard(run: RunDirectory, reporter: Reporter | None) -> Reporter:
    """Whoever listens, and the run's own log."""
    return Tee(reporter or Quiet(), LogFile(run.log_path))


def _with_languages(data: DataConfig) -> DataConfig:
    source, target = languages(data.train, data)
    return replace(data, source_language=source, target_language=target)


def _default_directory(data: DataConfig) -> str:
    names = [name for name in (data.source_language, data.target_language) if name]
    return "runs/" + ("-".join(names) or "run")


def _summary(config: RunConfig, task: TranslationTask, examples: PairStore) -> str:
    model = sized(config, task.tokenizers).model
    layers = f"{model.n_encoder_layers}+{model.n_decoder_layers} layers"
    dropped = examples.dropped.get("too long", 0)  # held-out pairs are no loss
    left_out = f", {dropped:,} too long and left out" if dropped else ""
    return (
        f"{len(examples):,} pairs{left_out}; vocabulary {model.vocab_size:,}; {layers},"
        f" d_model {model.d_model}; {config.training.max_updates:,} updates of at most"
        f" {config.training.max_tokens * config.training.accumulate:,} tokens"
    )
