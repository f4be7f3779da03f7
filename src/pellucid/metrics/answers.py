"""Scores of extracted answers: exact match and F1, as the official scripts compute them.

A score is that of one question; a data set's is their mean. An answer has several references, of
which the most similar one counts.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pellucid.metrics.treebank import split_treebank_words

ARTICLE = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
HAN = re.compile("[\u4e00-\u9fa5]")
KANA = re.compile("[\u3041-\u30ff]")
CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
"""Characters that CMRC 2018 ignores. It lists the ellipsis as two characters, which no character
equals, so that it is kept."""


class AnswerScore(NamedTuple):
    """The scores of one question, from 0 to 1."""

    exact_match: float
    f1: float


Scorer = Callable[[str, Sequence[str]], AnswerScore]
"""From a predicted answer and its references to the scores."""


def score_squad(prediction: str, references: Sequence[str]) -> AnswerScore:
    """Return the scores of SQuAD 1.1, whose questions all have an answer.

    Words are compared without case, punctuation and articles. F1 is over the words of prediction
    and reference as multisets. Source: Rajpurkar et al. 2016, evaluate-v1.1.py.
    """
    words = normalize_answer(prediction).split()
    pairs = [(words, normalize_answer(reference).split()) for reference in references]
    return AnswerScore(
        max(float(predicted == reference) for predicted, reference in pairs),
        max(f1_of(_n_common(*pair), *map(len, pair)) for pair in pairs),
    )


def score_squad2(prediction: str, references: Sequence[str]) -> AnswerScore:
    """Return the scores of SQuAD 2.0, where "" is the answer of a question without references.

    References without words do not count; a prediction without words is right if none is left.
    Source: Rajpurkar et al. 2018, evaluate-v2.0.py.
    """
    with_words = [reference for reference in references if normalize_answer(reference)]
    if with_words:
        return score_squad(prediction, with_words)
    is_empty = float(not normalize_answer(prediction))
    return AnswerScore(is_empty, is_empty)


def score_cmrc(prediction: str, references: Sequence[str]) -> AnswerScore:
    """Return the scores of CMRC 2018: F1 over the longest common substring.

    Units are Chinese characters, and the words of other text. Source: Cui et al. 2019,
    cmrc2018_evaluate.py. That script splits other text into sentences before words (NLTK's Punkt);
    here a stretch is one sentence, so that a period inside it stays with its word. The answer of a
    question without references is "".
    """
    if not references:
        is_empty = float(not prediction)
        return AnswerScore(is_empty, is_empty)
    units = segment_mixed(prediction)
    segmented = [segment_mixed(reference) for reference in references]
    plain = _without_punctuation(prediction)
    return AnswerScore(
        max(float(plain == _without_punctuation(reference)) for reference in references),
        max(f1_of(longest_common(units, each), len(units), len(each)) for each in segmented),
    )


def choose_scorer(
    language: str, texts: Iterable[str], references: Iterable[Sequence[str]]
) -> Scorer:
    """Return the scorer of a data set.

    CMRC's if the language, or if it is "", most of the texts are Chinese; otherwise SQuAD's: 2.0 if
    a question has no reference.
    """
    if is_chinese(language, texts):
        return score_cmrc
    return score_squad if all(references) else score_squad2


def is_chinese(language: str, texts: Iterable[str]) -> bool:
    """Return whether a language code is one of Chinese, or of "" whether most texts are Chinese.

    In a Chinese text most letters are Chinese, and less than a tenth are kana.
    """
    if language:
        return language.lower().split("-")[0] in ("zh", "zho", "chi", "cmn")
    chinese = [_is_chinese_text(text) for text in texts]
    return 2 * sum(chinese) > len(chinese)


def _is_chinese_text(text: str) -> bool:
    n_letters = sum(map(str.isalpha, text))
    return 2 * len(HAN.findall(text)) > n_letters > 10 * len(KANA.findall(text))


def normalize_answer(text: str) -> str:
    """Return a text in lower case without punctuation (ASCII), articles and extra spaces."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(PUNCTUATION)).split())


def segment_mixed(text: str) -> list[str]:
    """Return the units of CMRC 2018: Chinese characters, and the words of what is between them."""
    units, other = list[str](), ""
    for character in _without_punctuation(text):
        if HAN.match(character):
            units += [*split_treebank_words(other), character]
            other = ""
        else:
            other += character
    return units + split_treebank_words(other)


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest sequence of units that occurs in both, unbroken."""
    best, row = 0, [0] * (len(second) + 1)
    for unit in first:
        before = row
        row = [0] + [before[j] + 1 if unit == other else 0 for j, other in enumerate(second)]
        best = max(best, *row)
    return best


def f1_of(n_common: int, n_predicted: int, n_reference: int) -> float:
    """Return the harmonic mean of precision and recall; 0 without anything in common."""
    if not n_common:
        return 0.0
    precision, recall = n_common / n_predicted, n_common / n_reference
    return 2 * precision * recall / (precision + recall)


def _n_common(predicted: Sequence[str], reference: Sequence[str]) -> int:
    return (Counter(predicted) & Counter(reference)).total()


def _without_punctuation(text: str) -> str:
    return "".join(c for c in text.lower().strip() if c not in CMRC_PUNCTUATION)
