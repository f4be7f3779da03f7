"""The sliding-window baseline on SQuAD files: answers by the words of the question alone.

Of all candidates, those in the sentence with most words and word pairs of the question are kept
(Rajpurkar et al. 2016, section 5.1). Of these, the one with the highest score is chosen: the sum of
the inverse counts of the words of question and candidate in a window over the sentence, less the
distance of question and candidate (Richardson et al. 2013, section 4.1, algorithms 1 and 2).

Rajpurkar et al. take the constituents of parse trees as candidates. Here they are up to MAX_WORDS
words that neither begin nor end with a function word and have no content word of the question; and
the sum is divided by the words of the window, else the longest candidates would win.

    python recipes/squad_sliding_window.py DATA/squad/dev.json.gz
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log
from typing import NamedTuple

from pellucid.config.data import DataConfig
from pellucid.config.tasks.question_answering import QuestionAnsweringConfig
from pellucid.data.records import read_records
from pellucid.metrics.answers import score_squad

MAX_WORDS = 8
"""Of 5, 6, 8 and 10, the best F1 on the training part."""
WORD = re.compile(r"\w+|[^\w\s]")
SENTENCE_END = re.compile(r"[.!?]\s+(?=[A-Z])")
FUNCTION_WORDS = frozenset(
    WORD.findall(
        "a an the of in on at to for from by with as and or but nor not is are was were be been"
        " being it its he she they them his her their this that these those which who whom whose"
        " what when where why how did do does had has have into than then there such also would"
        " could can may s t"
    )
)


class Word(NamedTuple):
    """A word in lower case, and its characters in the context."""

    text: str
    begin: int
    end: int


def split_words(text: str, begin: int = 0, end: int | None = None) -> list[Word]:
    """Return the words and punctuation marks of a part of a text."""
    matches = WORD.finditer(text, begin, len(text) if end is None else end)
    return [Word(match[0].lower(), match.start(), match.end()) for match in matches]


def split_sentences(context: str) -> Iterator[list[Word]]:
    """Yield the words of each sentence."""
    ends = [match.start() + 1 for match in SENTENCE_END.finditer(context)]
    for begin, end in zip([0, *ends], [*ends, len(context)], strict=True):
        yield split_words(context, begin, end)


def find_candidates(words: Sequence[Word], question: frozenset[str]) -> Iterator[range]:
    """Yield runs of words that may be an answer."""
    for first in range(len(words)):
        for last in range(first, min(first + MAX_WORDS, len(words))):
            if not words[last].text.isalnum():
                break
            ends = (words[first].text, words[last].text)
            inner = {word.text for word in words[first : last + 1]}
            if FUNCTION_WORDS.isdisjoint(ends) and not (inner - FUNCTION_WORDS) & question:
                yield range(first, last + 1)


def count_overlap(sentence: Sequence[Word], question: Sequence[Word], candidate: range) -> int:
    """Return the number of words and word pairs that question and sentence have in common.

    Those of the candidate do not count.
    """
    rest = [w.text if i not in candidate else "" for i, w in enumerate(sentence)]
    asked = [word.text for word in question]
    pairs = set(pairwise(rest)) & set(pairwise(asked))
    return len((set(rest) & set(asked)) - {""}) + len(pairs)


def score_window(sentence: Sequence[Word], target: frozenset[str], counts: Counter[str]) -> float:
    """Return the highest mean of inverse counts in a window of as many words as the target has."""
    weights = [log(1 + 1 / counts[word.text]) if word.text in target else 0.0 for word in sentence]
    size = len(target)
    return max(sum(weights[i : i + size]) for i in range(len(weights))) / size


def measure_distance(sentence: Sequence[Word], question: frozenset[str], candidate: range) -> float:
    """Return the smallest distance of a content word of the question to the candidate, up to 1."""
    known = [
        i
        for i, word in enumerate(sentence)
        if word.text in question - FUNCTION_WORDS and i not in candidate
    ]
    if not known:
        return 1.0
    nearest = min(min(abs(i - candidate[0]), abs(i - candidate[-1])) for i in known)
    return nearest / max(len(sentence) - 1, 1)


def find_answer(question_text: str, context: str) -> str:
    """Return the best candidate; "" if there is none."""
    question = split_words(question_text)
    asked = frozenset(word.text for word in question)
    counts = Counter(word.text for word in split_words(context))
    best, text = (-1.0, 0.0), ""
    for sentence in split_sentences(context):
        for candidate in find_candidates(sentence, asked):
            overlap = count_overlap(sentence, question, candidate)
            if overlap < best[0]:
                continue
            words = frozenset(sentence[i].text for i in candidate)
            score = score_window(sentence, asked | words, counts)
            score -= measure_distance(sentence, asked, candidate)
            if (overlap, score) > best:
                best = (overlap, score)
                text = context[sentence[candidate[0]].begin : sentence[candidate[-1]].end]
    return text


def main(files: Sequence[str]) -> None:
    """Print exact match and F1 of the baseline on SQuAD files."""
    records = list(read_records(files, QuestionAnsweringConfig.columns, DataConfig()))
    scores = [
        score_squad(
            find_answer(record.values[0], record.values[1]),
            [answer.text for answer in record.values[2]],
        )
        for record in records
    ]
    exact, f1 = (sum(values) / len(scores) for values in zip(*scores, strict=True))
    print(f"{len(records):,} questions  exact_match {exact:.4f}  f1 {f1:.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
