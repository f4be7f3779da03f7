"""Corpus scores of translations, by sacreBLEU, each with the signature that makes it comparable."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU, CHRF, TER  # pyright: ignore[reportPrivateImportUsage]

from pellucid.errors import DataError, ResourceError
from pellucid.text.languages import base_language, has_spaces, is_known_language

RESAMPLES = 1000


class Score(NamedTuple):
    """A corpus score, usually from 0 to 100, and how it was computed."""

    name: str
    value: float
    signature: str
    interval: tuple[float, float] | None = None
    """The middle 95 % of the scores of resampled test sets; None if none were drawn."""


class Comparison(NamedTuple):
    """Two systems on the same test set, B against A.

    Intervals hold the middle 95 % of resampled values. `p_value`: probability of so large a
    difference by chance; 1 if the two do not differ at all.
    """

    a: float
    b: float
    delta: float
    p_value: float
    interval_a: tuple[float, float]
    interval_b: tuple[float, float]
    interval_delta: tuple[float, float]
    signature: str


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], language: str = "", resamples: int = 0
) -> Score:
    """Return corpus BLEU-4 of detokenised text, split by the target language's tokenizer.

    resamples: test sets to draw for the interval.
    Raises: DataError if the two differ in length or are empty; ResourceError if the language's
    tokenizer is not installed.  Source: Post 2018, "A Call for Clarity in Reporting BLEU Scores".
    """
    return _score(_bleu(language), hypotheses, references, resamples)


def chrf(hypotheses: Sequence[str], references: Sequence[str], resamples: int = 0) -> Score:
    """Return corpus chrF2: the F-score of character n-grams up to 6, recall weighted twice.

    Raises: DataError as `bleu`.  Source: Popovic 2015.
    """
    return _score(CHRF(), hypotheses, references, resamples)


def ter(
    hypotheses: Sequence[str], references: Sequence[str], language: str = "", resamples: int = 0
) -> Score:
    """Return the translation edit rate in percent: lower is better, over 100 is possible.

    Chinese and Japanese, which have no spaces, are split into characters.
    Raises: DataError as `bleu`.  Source: Snover et al. 2006.
    """
    asian = not has_spaces(language)
    metric = TER(normalized=asian, asian_support=asian)
    return _score(metric, hypotheses, references, resamples)


def tokenised_bleu(
    hypotheses: Sequence[str], references: Sequence[str], resamples: int = 0
) -> Score:
    """Return BLEU as old papers report it: BLEU-4 without smoothing on words split at spaces.

    Both sides must be tokenised, and lower-cased if the paper's were. Not comparable with `bleu`.
    Raises: DataError as `bleu`.  Source: the protocol of multi-bleu.perl (Moses).
    """
    metric = BLEU(tokenize="none", smooth_method="none", force=True)
    score = _score(metric, hypotheses, references, resamples)
    return score._replace(name="tokenised BLEU")


def language_note(language: str) -> str:
    """Return a warning that names an unknown language code; "" if the code is known or empty.

    BLEU is wrong for an unknown language that is written without spaces between words.
    """
    if not language or is_known_language(language):
        return ""
    return (
        f"{language[:60]!r} is not a language code known here, so BLEU splits its text like English"
        " (tok:13a)."
    )


def sentence_similarity(
    kind: Literal["chrf", "bleu"], language: str = ""
) -> Callable[[str, str], float]:
    """Return a function (candidate, reference) -> similarity of two sentences, from 0 to 100.

    BLEU uses the n-gram orders that the sentence has, smoothed. Each pair is computed once.
    Raises: ResourceError as `bleu`.
    """
    metric: Any = CHRF() if kind == "chrf" else _bleu(language)
    metric.effective_order = True
    return cache(lambda text, reference: float(metric.sentence_score(text, [reference]).score))


def paired_bootstrap(
    system_a: Sequence[str],
    system_b: Sequence[str],
    references: Sequence[str],
    language: str = "",
    seed: int = 12345,
) -> Comparison:
    """Test whether two systems' BLEU differs by more than the choice of test sentences explains.

    Resamples the test set 1,000 times with replacement, the same sentences for both systems. The
    p-value is sacreBLEU's unless all resamples are equal.
    Raises: DataError as `bleu`.  Source: Koehn 2004.
    """
    metric = _bleu(language)
    a, b = (_score(metric, system, references).value for system in (system_a, system_b))
    statistics_a = _statistics(metric, system_a, references)
    statistics_b = _statistics(metric, system_b, references)
    # One call draws all samples, as in sacreBLEU: equal seeds give equal p-values.
    sentences = len(references)
    chosen = np.random.default_rng(seed).choice(
        sentences, size=(RESAMPLES, sentences), replace=True
    )
    samples_a = np.array([_bleu_of(statistics_a[rows].sum(0)) for rows in chosen])
    samples_b = np.array([_bleu_of(statistics_b[rows].sum(0)) for rows in chosen])
    spread = np.abs(samples_b - samples_a)
    # sacreBLEU uses >, by which two equal systems would differ significantly.
    beyond = int((spread - spread.mean() >= abs(b - a)).sum())
    return Comparison(
        a=a,
        b=b,
        delta=b - a,
        p_value=(beyond + 1) / (RESAMPLES + 1),
        interval_a=_middle(samples_a),
        interval_b=_middle(samples_b),
        interval_delta=_middle(samples_b - samples_a),
        signature=f"{metric.get_signature()}|bs:{RESAMPLES}|seed:{seed}",
    )


def _bleu(language: str) -> BLEU:
    try:
        return BLEU(trg_lang=base_language(language))
    except RuntimeError:
        raise ResourceError(
            f"BLEU for {language} needs a word segmenter that is not installed."
            f" Run: pip install 'sacrebleu[{base_language(language)}]'"
        ) from None


def _score(
    metric: Any, hypotheses: Sequence[str], references: Sequence[str], resamples: int = 0
) -> Score:
    if len(hypotheses) != len(references):
        raise DataError(
            f"{len(hypotheses)} translations but {len(references)} references: a score needs one"
            " reference for each. Check that no line was lost or added."
        )
    if not references:
        raise DataError("no translation to score: the test set is empty. Give at least one pair.")
    result = metric.corpus_score(list(hypotheses), [list(references)])
    score = Score(result.name, result.score, str(metric.get_signature()))
    if not resamples:
        return score
    # corpus_score(n_bootstrap=...) would hold the counts of all resamples in memory at once.
    counts = np.array(metric._extract_corpus_statistics(list(hypotheses), [list(references)]))
    rng, n = np.random.default_rng(0), len(references)
    sums = (counts[rng.integers(n, size=n)].sum(0) for _ in range(resamples))
    samples = [metric._compute_score_from_stats(each.tolist()).score for each in sums]
    return score._replace(interval=_middle(np.array(samples)))


def _statistics(metric: BLEU, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the counts that BLEU sums over sentences, (N, 10): 2 lengths, 4 matches, 4 totals."""
    rows = []
    # Only silences a warning about single sentences, whose scores are not used here.
    metric.effective_order = True
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        s = metric.sentence_score(hypothesis, [reference])
        rows.append([s.sys_len, s.ref_len, *s.counts, *s.totals])
    metric.effective_order = False
    return np.array(rows)


def _bleu_of(sums: np.ndarray) -> float:
    length, reference_length, *counts = (int(value) for value in sums)
    return BLEU.compute_bleu(
        counts[:4], counts[4:], length, reference_length, smooth_method="exp"
    ).score


def _middle(samples: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(samples, (0.025, 0.975))
    return float(low), float(high)
