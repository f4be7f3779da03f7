"""ROUGE scores of summaries, by the package rouge-score."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from pellucid.errors import DataError, UsageError
from pellucid.metrics.translation import Score
from pellucid.text.languages import base_language

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
"""Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana, Han."""
_UNSPACED_LETTER = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}][^\W{_UNSPACED}]*+")
"""Of a text in which underscores stand for marks, which continue a word but do not begin one."""
_SENTENCE_END = re.compile(r"(?<=[.!?])[ \t]++|(?<=[。！？])")


def rouge(summaries: Sequence[str], references: Sequence[str], language: str = "") -> list[Score]:
    """Return ROUGE-1, -2, -L and -Lsum: F1 in percent, the mean over all summaries.

    English words are split and stemmed as rouge-score does with `use_stemmer`. In other languages,
    a word is a run of letters and digits with their marks (vowel signs, accents), and of a script
    without spaces a single letter; nothing is stemmed. If the language is unknown, it counts as
    English if most letters of the references are those of English. The sentences of Lsum end at
    line breaks and at . ! ? with a space.
    Raises: DataError if there is no summary or the lengths differ; UsageError if the package is
    missing.  Source: Lin 2004.
    """
    english = is_english(references, language)
    means = rouge_by_text(summaries, references, english).mean(axis=0)
    signature = rouge_signature(english)
    return [Score(name, float(mean), signature) for name, mean in zip(NAMES, means, strict=True)]


def rouge_by_text(summaries: Sequence[str], references: Sequence[str], english: bool) -> np.ndarray:
    """Return the scores of `rouge` for each summary, (N, 4) in the order of `NAMES`.

    english: whether words are those of English.
    """
    if not summaries or len(summaries) != len(references):
        raise DataError(
            f"{len(summaries)} summaries for {len(references)} references. Give one for each."
        )
    scorer = _scorer(english)
    scores = [
        scorer.score(_split_sentences(reference), _split_sentences(summary))
        for summary, reference in zip(summaries, references, strict=True)
    ]
    return np.array([[100 * each[name].fmeasure for name in NAMES] for each in scores])


def is_english(references: Iterable[str], language: str) -> bool:
    """Return whether a language is English, or if it is "", whether most letters are ASCII."""
    if language:
        return base_language(language) == "en"
    n_letters = n_ascii = 0
    for text in references:
        n_letters += sum(char.isalpha() for char in text)
        n_ascii += sum(char.isalpha() and char.isascii() for char in text)
    return 2 * n_ascii >= n_letters


def check_rouge() -> None:
    """Raises: UsageError if the package rouge-score is not installed."""
    _load_package()


def rouge_signature(is_english: bool) -> str:
    """Return how words are split, and the version of the package."""
    from importlib.metadata import version

    words = "tok:rouge-score|stem:porter" if is_english else "tok:pellucid-words-2|stem:no"
    return f"nrefs:1|{words}|f1|version:{version('rouge-score')}"


class _Words:
    """Splits a text into lower-case words."""

    def tokenize(self, text: str) -> list[str]:
        text = unicodedata.normalize("NFC", text).lower()
        is_mark = {char: _is_mark(char) for char in set(text)}
        marked = "".join("_" if is_mark[c] else " " if c == "_" else c for c in text)
        return [text[slice(*word.span())] for word in _WORD.finditer(marked)]


def _is_mark(char: str) -> bool:
    """Return whether a character is a mark, and no vowel of a script without spaces."""
    return unicodedata.category(char)[0] == "M" and not _UNSPACED_LETTER.match(char)


@cache
def _scorer(is_english: bool) -> Any:
    package = _load_package()
    if is_english:
        return package.RougeScorer(NAMES, use_stemmer=True)
    return package.RougeScorer(NAMES, tokenizer=_Words())


def _load_package() -> Any:
    try:
        from rouge_score import rouge_scorer
    except ImportError:
        raise UsageError(
            "ROUGE needs the package rouge-score. Install it: pip install 'pellucid[tasks]'."
        ) from None
    return rouge_scorer


def _split_sentences(text: str) -> str:
    """Return a text with one sentence on each line."""
    return _SENTENCE_END.sub("\n", text)
