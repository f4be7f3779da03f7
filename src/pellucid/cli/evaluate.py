"""`pellucid evaluate`: corpus scores with signatures, of a model or of finished translations."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pellucid.cli.evaluate_task import measure_task
from pellucid.cli.models import load_model
from pellucid.cli.pairs import Pair, find_languages, read_aligned_lines, read_pairs
from pellucid.cli.parse import config_flags, positional
from pellucid.cli.render import one_line
from pellucid.config.data import DataConfig
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.metrics.translation import Comparison, Score


@dataclass(frozen=True)
class Options:
    """Measure a model, or finished translations, on a test set.

    pellucid evaluate MODEL --data test.en test.de
    """

    model: str = positional("")
    """A model's directory, a finished run, or a shipped name; none with --hypotheses."""
    data: tuple[str, ...] = ()
    """Two aligned files (source, reference), or one .tsv or .jsonl; of models of other tasks,
    files as in data.valid."""
    columns: dict[str, str | int] = field(default_factory=dict)
    """Field of the files for each column of the model's task, as data.columns."""
    documents: Literal["line", "blank_line", "file"] = DataConfig.documents
    """Where a document ends in plain text, as data.documents."""
    hypotheses: str = ""
    """Score this file of translations instead of a model's."""
    against: str = ""
    """Another model, or a file of its translations, to compare with (paired bootstrap)."""
    tokenised: bool = False
    """BLEU on text as it is tokenised, the protocol of old papers, instead of sacreBLEU's."""
    output: str = ""
    """A file for the translations."""
    to: str = ""
    """Target language of a model with several."""
    language: str = ""
    """Target language, if neither the model nor a file's ending names it."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Literal["fp32", "bf16", "int8"] = "fp32"
    """Compute dtype; int8 is CPU-only, and this shows what it costs."""
    json: bool = False
    """Print one JSON object."""
    search: dict[str, Any] = config_flags(DecodingConfig)


class System(NamedTuple):
    """The translations of a test set, and their language ("" if unknown)."""

    language: str
    texts: Callable[[], list[str]]


def run(options: Options) -> int:
    """Translate or read, score, print. Options are checked before anything is translated."""
    from pellucid.metrics.translation import language_note

    _check(options)
    model = _open(options.model, options) if options.model else None
    if model is not None and model.task not in ("", "translation"):
        data = DataConfig(valid=options.data, columns=options.columns, documents=options.documents)
        measure_task(model, data, options.json, _translator_flags(options))
        return 0
    if options.columns or options.documents != DataConfig.documents:
        raise UsageError(
            "--columns and --documents are not for translations, which are read as pairs of lines."
            " Leave them out."
        )
    pairs = read_pairs(options.data)
    system = _system(model or options.hypotheses, pairs, options)
    other = None
    if options.against:
        is_file = Path(options.against).is_file()
        other = options.against if is_file else _open(options.against, options)
        other = _system(other, pairs, options)
    language = options.language or system.language or find_languages(options.data)[1]
    scores([""], [""], language, options.tokenised)  # fails now without its word segmenter
    translations = system.texts()
    if options.output:
        _write(translations, options.output)
    not_blank = [i for i, pair in enumerate(pairs) if pair.source]
    references = [pairs[i][1] for i in not_blank]
    texts = [translations[i] for i in not_blank]
    results = scores(texts, references, language, options.tokenised)
    comparison = None
    if other is not None:
        others = other.texts()
        comparison = _compare([others[i] for i in not_blank], texts, references, language)
    _print(options, results, comparison, language_note(language))
    return 0


def measure(model: str, data: Sequence[str]) -> None:
    """Measure a model with default options, as at the end of a training."""
    run(Options(model=model, data=tuple(data)))


def scores(
    texts: Sequence[str], references: Sequence[str], language: str, tokenised: bool
) -> list["Score"]:
    """Return corpus scores of translations by one protocol."""
    from pellucid.metrics.translation import bleu, chrf, ter, tokenised_bleu

    if tokenised:
        return [tokenised_bleu(texts, references)]
    n_grams = [bleu(texts, references, language), chrf(texts, references)]
    return [*n_grams, ter(texts, references, language)]


def with_single_best(search: dict[str, Any]) -> dict[str, Any]:
    """Return search settings for one text per source. Raises: UsageError if more are requested."""
    if search.get("n_best", 1) > 1:
        raise UsageError(
            f"--n-best {search['n_best']}: only the best text of each source is measured. Leave"
            " it out."
        )
    return {**search, "n_best": 1}


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
    with_single_best(options.search)
    if options.output:
        from pellucid.files import check_writable

        check_writable(Path(options.output))


def _open(name: str, options: Options) -> "Loaded":
    return load_model(name, options.device, options.dtype)


def _translator_flags(options: Options) -> list[str]:
    """Return the flags in use that are for translators only."""
    flags = {
        "--against": options.against,
        "--tokenised": options.tokenised,
        "--output": options.output,
        "--to": options.to,
        "search settings": options.search,
    }
    return [flag for flag, value in flags.items() if value]


def _system(model: "Loaded | str", pairs: Sequence[Pair], options: Options) -> System:
    """Return the translations of a model, or those in a file."""
    from pellucid.text.language_tags import language_tags

    settings: dict[str, Any] = with_single_best(options.search)
    if isinstance(model, str):
        lines = read_aligned_lines(model, len(pairs))
        return System("", lambda: lines)
    to = options.to
    if not to and language_tags(model.tokenizer.source):
        to = find_languages(options.data)[1]
    settings["to"] = to
    model.translate([], **settings)  # impossible settings are an error before the work

    def texts() -> list[str]:
        with progress("translating", len(pairs)) as advance:
            sources = [pair.source for pair in pairs]
            results = model.translate(sources, alignment=False, progress=advance, **settings)
        return [one_line(result.text) for result in results]

    return System(to or model.bundle.languages[1], texts)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """Show a progress bar with the remaining time on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)


def _compare(
    texts_a: list[str], texts_b: list[str], references: list[str], language: str
) -> "Comparison":
    from pellucid.metrics.translation import paired_bootstrap

    return paired_bootstrap(texts_a, texts_b, references, language)


def _write(texts: Sequence[str], file: str) -> None:
    from pellucid.files import atomic_write

    atomic_write(Path(file), "".join(text + "\n" for text in texts).encode())


def _print(
    options: Options, results: list["Score"], comparison: "Comparison | None", note: str
) -> None:
    if options.json:
        record: dict[str, Any] = {"scores": [score._asdict() for score in results]}
        if comparison is not None:
            record["comparison"] = comparison._asdict()
        if note:
            record["note"] = note
        print(json.dumps(record))
        return
    for score in results:
        print(f"{score.name} {score.value:.2f}  {score.signature}")
    if note:
        print(f"note: {note} Set another with --language.")
    if comparison is not None:
        c = comparison
        low, high = c.interval_delta
        verdict = "more than chance" if c.p_value < 0.05 else "may be chance"
        print(
            f"against {options.against}: BLEU {c.a:.2f} -> {c.b:.2f}, difference {c.delta:+.2f}"
            f" (95%: {low:+.2f} to {high:+.2f}), p = {c.p_value:.4f}: {verdict}  {c.signature}"
        )
