"""`pellucid evaluate` of translations: corpus scores with signatures."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.cli.models import load_model
from pellucid.cli.pairs import Pair, check_order, find_languages, read_aligned_lines, read_pairs
from pellucid.cli.render import one_line
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.api import Loaded
    from pellucid.cli.evaluate import Options
    from pellucid.metrics.translation import Comparison, Score

CHUNK_LINES = 2000
"""Lines that are translated at once; only their texts are kept."""


class System(NamedTuple):
    """The translations of a test set, and their language ("" if unknown)."""

    language: str
    texts: Callable[[], list[str]]


def measure_translations(model: "Loaded | None", options: "Options") -> None:
    """Translate or read translations, score and print them."""
    from pellucid.metrics.translation import language_note

    pairs = read_pairs(options.data)
    system = _system(model or options.hypotheses, pairs, options)
    other = None
    if options.against:
        is_file = Path(options.against).is_file()
        other = (
            options.against
            if is_file
            else load_model(options.against, options.device, options.dtype)
        )
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


def scores(
    texts: Sequence[str], references: Sequence[str], language: str, tokenised: bool
) -> list["Score"]:
    """Return corpus scores of translations by one protocol, with intervals."""
    from pellucid.metrics.translation import RESAMPLES, bleu, chrf, ter, tokenised_bleu

    if tokenised:
        return [tokenised_bleu(texts, references, RESAMPLES)]
    return [
        bleu(texts, references, language, RESAMPLES),
        chrf(texts, references, RESAMPLES),
        ter(texts, references, language, RESAMPLES),
    ]


def with_single_best(search: dict[str, Any]) -> dict[str, Any]:
    """Return search settings for one text per source. Raises: UsageError if more are requested."""
    if search.get("n_best", 1) > 1:
        raise UsageError(
            f"--n-best {search['n_best']}: only the best text of each source is measured. Leave"
            " it out."
        )
    return {**search, "n_best": 1}


def _system(model: "Loaded | str", pairs: Sequence[Pair], options: "Options") -> System:
    """Return the translations of a model, or those in a file."""
    from pellucid.inference.languages import has_several_languages

    settings: dict[str, Any] = with_single_best(options.search)
    if isinstance(model, str):
        lines = read_aligned_lines(model, len(pairs))
        return System("", lambda: lines)
    check_order(options.data, model.bundle.languages)
    source, to = options.source_language, options.to
    if has_several_languages(model.bundle):
        named = find_languages(options.data)
        source, to = source or named[0], to or named[1]
    settings |= {"to": to, "source_language": source}
    model.translate([], **settings)  # impossible settings are an error before the work

    def texts() -> list[str]:
        with progress("translating", len(pairs)) as advance:
            sources = [pair.source for pair in pairs]
            chunks = [
                (i, sources[i : i + CHUNK_LINES]) for i in range(0, len(sources), CHUNK_LINES)
            ]
            kept = {"alignment": False, "progress": advance, **settings}
            results = (r for i, part in chunks for r in model.translate(part, first=i, **kept))
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
    options: "Options", results: list["Score"], comparison: "Comparison | None", note: str
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
        low, high = score.interval or (score.value, score.value)
        ends = f"95 %: {low:.2f} to {high:.2f} (bootstrap)"
        print(f"{score.name} {score.value:.2f}  {ends}  {score.signature}")
    if note:
        print(f"note: {note} Set another with --language.")
    if comparison is not None:
        from pellucid.metrics.comparison import describe_chance

        c = comparison
        low, high = c.interval_delta
        print(
            f"against {options.against}: BLEU {c.a:.2f} -> {c.b:.2f}, difference {c.delta:+.2f}"
            f" (95 %: {low:+.2f} to {high:+.2f}), {describe_chance(c.p_value)}  {c.signature}"
        )
