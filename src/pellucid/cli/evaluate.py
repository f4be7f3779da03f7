"""`pellucid evaluate`: metrics of a model by its task, or scores of finished translations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pellucid.cli.evaluate_task import measure_task
from pellucid.cli.evaluate_translations import measure_translations, with_single_best
from pellucid.cli.models import load_model
from pellucid.cli.parse import config_flags, positional
from pellucid.config.data import DataConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError

DECODING = ("translation", "summarization")
"""Tasks that generate text, which one thread does fastest."""


@dataclass(frozen=True)
class Options:
    """Measure a model, or finished translations, on a test set.

    pellucid evaluate MODEL --data test.en test.de
    pellucid evaluate MODEL --data test.tsv --errors wrong.tsv --picture confusion.svg
    """

    model: str = positional("")
    """A model's directory, a finished run, the name of a shipped model, or hf://owner/name; none
    with --hypotheses."""
    data: tuple[str, ...] = ()
    """Two aligned files (source, reference), or one .tsv or .jsonl; of models of other tasks,
    files as in data.valid."""
    task: str = ""
    """Task whose metrics to use; empty means that of the training, or else that of the head.
    """
    errors: str = ""
    """A file (.tsv or .jsonl) for every wrong example, most confident first."""
    picture: str = ""
    """A file (.svg) for a picture: confusion matrix, scores by label, or scatter plot."""
    stride: int = 0
    """Tokens from one window of a long text to the next; 0 means the default of the task."""
    columns: dict[str, str | int] = field(default_factory=dict)
    """Field of the files for each column of the model's task, as data.columns."""
    documents: Literal["line", "blank_line", "file"] = DataConfig.documents
    """Where a document ends in plain text, as data.documents."""
    hypotheses: str = ""
    """Score this file of translations instead of a model's."""
    against: str = ""
    """Another model, or a file of its translations, to compare with by paired bootstrap: whether
    the difference is more than chance."""
    tokenised: bool = False
    """BLEU on text as it is tokenised, the protocol of older papers, instead of sacreBLEU's."""
    output: str = ""
    """A file for the translations."""
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the sources, for a model that marks them with it (mBART, M2M-100)."""
    language: str = ""
    """Target language, if neither the model nor a file's ending names it."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype; int8 is CPU-only, and this shows what it costs."""
    json: bool = False
    """Print one JSON object."""
    search: dict[str, Any] = config_flags(DecodingConfig)


def run(options: Options) -> int:
    """Measure and print. Options are checked before anything is computed."""
    _check(options)
    if not options.model:
        _refuse(_task_flags(options), "for models, but --hypotheses are finished translations")
        measure_translations(None, options)
        return 0
    model = load_model(options.model, options.device, options.dtype, decodes=False)
    from pellucid.nn import kernels
    from pellucid.tasks.choose_task import choose_task

    task = choose_task(model.bundle, options.task)
    if task in DECODING:
        kernels.decode_on_one_thread()
    if task == "translation":
        _refuse(_task_flags(options), "not for translations, which are read as pairs of lines")
        measure_translations(model, options)
    else:
        _refuse(_translator_flags(options), f"for translators, but this model's task is {task}")
        measure_task(model, task, options)
    return 0


def measure(model: str, data: Sequence[str]) -> None:
    """Measure a model with default options, as at the end of a training."""
    run(Options(model=model, data=tuple(data)))


def _check(options: Options) -> None:
    """Raises: UsageError if options contradict each other; ResourceError as `check_writable`."""
    if not options.data:
        raise UsageError("no test set. Give it: --data test.en test.de")
    if bool(options.model) == bool(options.hypotheses):
        raise UsageError("give either a model or --hypotheses FILE: one of them is measured.")
    with_single_best(options.search)
    if options.tokenised and options.against:
        raise UsageError(
            "--tokenised and --against: systems are compared by sacreBLEU's BLEU, which is another"
            " protocol. Leave one out."
        )
    for flag, endings in (("errors", (".tsv", ".jsonl")), ("picture", (".svg",))):
        name = getattr(options, flag)
        if name and not name.endswith(endings):
            raise UsageError(f"--{flag} {name}: the name must end in {' or '.join(endings)}.")
    from pellucid.files import check_not_read, check_writable

    for name in filter(None, (options.output, options.errors, options.picture)):
        check_not_read(Path(name), (*options.data, options.hypotheses, options.against))
        check_writable(Path(name))


def _refuse(flags: Sequence[str], why: str) -> None:
    """Raises: UsageError if there are any flags."""
    if flags:
        raise UsageError(f"{', '.join(flags)}: {why}. Leave it out.")


def _task_flags(options: Options) -> list[str]:
    """Return the flags in use that are not for translations."""
    flags = {
        "--columns": options.columns,
        "--documents": options.documents != DataConfig.documents,
        "--errors": options.errors,
        "--picture": options.picture,
        "--stride": options.stride,
    }
    return [flag for flag, value in flags.items() if value]


def _translator_flags(options: Options) -> list[str]:
    """Return the flags in use that are for translators only."""
    flags = {
        "--tokenised": options.tokenised,
        "--output": options.output,
        "--to": options.to,
        "--source-language": options.source_language,
        "--language": options.language,
        "search settings": options.search,
    }
    return [flag for flag, value in flags.items() if value]
