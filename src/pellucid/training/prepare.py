"""Prepare a run: complete its config, train tokenizers, encode data, build the task."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pellucid.config.data import DataConfig
from pellucid.config.read import build, check, merge_settings
from pellucid.config.run import RunConfig
from pellucid.config.tasks.catalog import task_config
from pellucid.data.examples import TrainingData, ValidationData
from pellucid.data.languages import languages
from pellucid.data.records import Record
from pellucid.data.store import ExampleStore, build_store, content_key
from pellucid.errors import ConfigError, DataError
from pellucid.files import remove
from pellucid.formats.bundle import Bundle
from pellucid.formats.locate import locate as locate_model
from pellucid.formats.open_model import open_model
from pellucid.nn.device import choose_device
from pellucid.tasks.catalog import build_task
from pellucid.tasks.protocol import Task, TaskInputs
from pellucid.training import checkpoints
from pellucid.training.corpus import Corpus
from pellucid.training.defaults import RunContext, check_settings, complete_settings
from pellucid.training.distribution import World
from pellucid.training.encoded_data import check_fits, describe_data
from pellucid.training.inputs import dump_facts, new_inputs, read_inputs
from pellucid.training.reporter import Reporter
from pellucid.training.run_directory import RunDirectory
from pellucid.training.tokenizers import make_tokenizers
from pellucid.training.vectors import check_files, load_vectors

REPORT_EVERY = 1000
"""Number of records between updates of the progress bar."""


class PreparedRun(NamedTuple):
    """The inputs of a trainer."""

    config: RunConfig
    task: Task
    data: TrainingData
    start: Bundle | None = None
    """The model that training starts from, unless a checkpoint is restored."""


def locate_run(settings: Mapping[str, Any], where: str) -> tuple[dict[str, Any], RunDirectory]:
    """Return the settings, with the languages of the data files filled in, and the run directory.

    If the run exists, settings that are not given have its values.
    """
    check(RunConfig, {n: settings[n] for n in ("task", "run_dir") if n in settings}, where)
    data = _with_languages(build(DataConfig, settings.get("data") or {}, where))
    run = RunDirectory(Path(settings.get("run_dir") or _default_directory(settings, data)))
    kept = run.fixed_config()
    if kept is not None and _can_be_completed_by(kept, settings):
        settings = merge_settings(asdict(kept), settings)
        data = _with_languages(build(DataConfig, settings["data"], where))
    codes = {name: getattr(data, name) for name in ("source_language", "target_language")}
    return {**settings, "data": {**(settings.get("data") or {}), **codes}}, run


def prepare_run(
    settings: Mapping[str, Any], run: RunDirectory, world: World, where: str, reporter: Reporter
) -> PreparedRun:
    """Complete and record the config, and build tokenizers, encoded data and task.

    All checks that are possible before the first update are made here.
    Raises: DataError, ConfigError naming the invalid file or setting.
    """
    check_settings(settings, where)
    on_cpu = choose_device(settings.get("device") or "auto").type == "cpu"
    checkpoint = checkpoints.latest_checkpoint(run.path).path
    resumes = checkpoint is not None
    start = _open_start(settings, resumes, where)
    corpus, teachers = _open_corpus_and_teachers(settings, where)
    context = RunContext(corpus.training.examples, on_cpu, start, teachers)
    config, notes = complete_settings(settings, context, where)
    config = replace(config, run_dir=str(run.path))
    world.assign_micro_batches(config.training.accumulate)
    _check_start(config, run, checkpoint)
    torch.set_num_threads(config.training.threads or torch.get_num_threads())
    if world.is_main:
        run.record_config(config, corpus.digests)
        for note in (*corpus.recognized.describe(), *notes):
            reporter.log(note)
    else:
        world.wait()
    leader = teachers[0] if teachers and config.objective.follows_teacher else None
    tokenizers = make_tokenizers(config, corpus, run, start or leader, reporter)
    if config.start_from and start is None:  # a resumed run uses its own copies
        inputs = replace(read_inputs(run), config=config)
    else:
        inputs = new_inputs(config, tokenizers, corpus, start)
    task = build_task(replace(inputs, teachers=teachers))
    _check_task(task, world)
    train, validation = _encode(task, inputs, corpus, run, reporter)
    if world.is_main:
        world.wait()
    check_fits(config, train, validation)
    data = TrainingData(task.sample(train), ValidationData(validation, corpus.valid))
    longest = tuple(int(n) for n in train.lengths.max(axis=0))
    vectors = {} if resumes else load_vectors(config, tokenizers, reporter)
    inputs = replace(inputs, longest=longest, vectors=vectors, teachers=teachers)
    if world.is_main:
        run.record_facts(dump_facts(inputs))
        _remove_other_stores(run, train, validation)
        for message in describe_data(config, corpus, train, data.train.lengths, task.order):
            reporter.log(message)
    return PreparedRun(config, build_task(inputs).with_statistics(train), data, start)


def _check_start(config: RunConfig, run: RunDirectory, checkpoint: Path | None) -> None:
    """Raises: DataError if the training would start again and replace a finished model; ConfigError
    if a run has more updates than it is to have; as `check_files`.

    checkpoint: the one that it resumes from, if there is one.
    """
    if checkpoint is None:
        if run.final.exists():
            raise DataError(
                f"{run.path} has a finished model, but no sound checkpoint to resume from: training"
                f" would start again and replace {run.final}. Use another run_dir, or delete that."
            )
        check_files(config)
        return
    done = checkpoints.checkpoint_step(checkpoint)
    if 0 < config.training.max_updates < done:
        raise ConfigError(
            f"training.max_updates={config.training.max_updates}, but {config.run_dir} has {done}"
            " updates already. Use at least as many, or another run_dir."
        )


def _open_corpus_and_teachers(
    settings: Mapping[str, Any], where: str
) -> tuple[Corpus, tuple[Bundle, ...]]:
    """Read the data files for the columns of the task, and open its teachers if it has some."""
    task = task_config(settings.get("task", "translation"), where)
    objective = build(task, settings.get("objective") or {}, where)
    teachers = tuple(map(_open_with_tokenizer, objective.teacher_models))
    return Corpus(build(DataConfig, settings["data"], where), objective), teachers


def _open_start(settings: Mapping[str, Any], resumes: bool, where: str) -> Bundle | None:
    """Return the model of `start_from`, or None if it is not set or the run has a checkpoint."""
    directory = settings.get("start_from")
    if not directory or resumes:
        return None
    if not isinstance(directory, str):
        raise ConfigError(f"{where}: start_from={directory!r:.80} must be a directory's name.")
    return _open_with_tokenizer(directory)


def _open_with_tokenizer(name: str) -> Bundle:
    """Open a model. Raises: DataError if it has no tokenizer."""
    model = open_model(locate_model(name))
    if not model.tokenizers.source.is_present:
        raise DataError(
            f"{name} has no tokenizer, so text cannot be encoded for it. Put the model's"
            " tokenizer files into it."
        )
    return model


def _check_task(task: Task, world: World) -> None:
    """Raises: ConfigError, UsageError if the model or the processes do not fit the task."""
    task.check()
    if task.order == "stream" and world.size > 1:
        raise ConfigError(
            "this task carries state from each batch to the next, so it trains in one process, not"
            f" in {world.size}. Start it without torchrun."
        )


def _encode(
    task: Task, inputs: TaskInputs, corpus: Corpus, run: RunDirectory, reporter: Reporter
) -> tuple[ExampleStore, ExampleStore]:
    """Return the stores of training and validation examples."""
    c, tokenizers = inputs.config, inputs.tokenizers
    common = [c.task, asdict(c.objective), asdict(c.data), inputs.labels, corpus.digests]
    common += [tokenizers.source.to_json(), tokenizers.target.to_json(), corpus.split]
    common += [c.model.max_positions]
    reporter.start("encoding", 0, corpus.n_read)
    try:
        records = _report_progress(corpus.train(), reporter)
        train = build_store(records, task.encode, run.data / content_key(*common, "train"))
    finally:
        reporter.stop()
    validation = build_store(corpus.valid, task.encode, run.data / content_key(*common, "valid"))
    return train, validation


def _remove_other_stores(run: RunDirectory, *stores: ExampleStore) -> None:
    """Delete stores of earlier settings or file names of this run."""
    used = {store.directory for store in stores}
    for path in run.data.iterdir():
        if path not in used and not path.name.startswith("."):
            remove(path)


def _report_progress(records: Iterable[Record], reporter: Reporter) -> Iterator[Record]:
    for n, record in enumerate(records, start=1):
        yield record
        if n % REPORT_EVERY == 0:
            reporter.advance(n)


def _with_languages(data: DataConfig) -> DataConfig:
    source, target = languages(data.train, data)
    return replace(data, source_language=source, target_language=target)


def _can_be_completed_by(kept: RunConfig, settings: Mapping[str, Any]) -> bool:
    """Whether missing settings can have the values of this config: same task, same size."""
    is_same_size = settings.get("size") in (None, "auto", kept.size)
    return is_same_size and settings.get("task") in (None, kept.task)


def _default_directory(settings: Mapping[str, Any], data: DataConfig) -> str:
    task = settings.get("task", "translation")
    names = [name for name in (data.source_language, data.target_language) if name]
    if data.directions:
        names = list(data.all_languages)
    if task != "translation":
        names = [str(task), *names[:1]]
    return "runs/" + ("-".join(names) or "run")
