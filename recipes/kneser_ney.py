"""Character n-grams with interpolated modified Kneser-Ney smoothing: a baseline of language models.

    python recipes/kneser_ney.py TRAIN TEST [TEST ...] [--order 5] [--min-count 2]

Each line of a file is a text. Characters that occur fewer than --min-count times in TRAIN become
one unknown character, in TRAIN and TEST alike, as the tokenizer `char` of pellucid does with
`min_frequency`. Each text ends with an end symbol, which is predicted like a character but does not
count as one. Prints bits per character and per UTF-8 byte.

Source: Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling",
section 3 (modified Kneser-Ney: three discounts an order, set by counts of counts; n-grams that
begin a text keep their counts, as nothing stands before them).
"""

import argparse
import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

START, END, UNKNOWN = 0, 1, 2
FIRST = 3
"""Id of the first character of the vocabulary."""


class Vocabulary:
    """Characters as ids."""

    def __init__(self, texts: Sequence[str], min_count: int) -> None:
        counts = Counter(character for text in texts for character in text)
        kept = sorted(c for c, n in counts.items() if n >= min_count)
        self.ids = {c: i for i, c in enumerate(kept, start=FIRST)}

    def __len__(self) -> int:
        """Number of ids, the start of a text included."""
        return FIRST + len(self.ids)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return all texts as ids, each between a start and an end."""
        ids: list[int] = []
        for text in texts:
            ids += [START, *(self.ids.get(c, UNKNOWN) for c in text), END]
        return np.array(ids, np.int64)


@dataclass
class Order:
    """The n-grams of one length, numbered from 0. The last one of each array is "not seen"."""

    keys: np.ndarray
    """Sorted: number of the first n - 1 tokens among the shorter n-grams, times the vocabulary's
    size, plus the last token."""
    discounted: np.ndarray
    """(count - discount) / sum of the counts of n-grams with the same first n - 1 tokens."""
    backoff: np.ndarray
    """For each (n-1)-gram, the probability that is left for the shorter context; 1 if none."""


class NGrams(NamedTuple):
    """The n-grams of some texts for one n."""

    keys: np.ndarray
    """As in `Order`."""
    number: np.ndarray
    """For each token, the number of the n-gram that ends there; -1: the text is too short."""
    ends: np.ndarray
    """Where n-grams end."""
    begins_text: np.ndarray
    """Whether an n-gram begins with START."""


class KneserNey:
    """P(w | h) = discounted(h w) + backoff(h) P(w | h without its first token)."""

    def __init__(
        self,
        ids: np.ndarray,
        n_ids: int,
        order: int,
        discounts: Sequence[float] | None = None,
    ) -> None:
        """ids: texts, each from START to END. discounts: for counts 1, 2, and 3 or more; None means
        that each order's are estimated."""
        self.n_ids = n_ids
        grams = list(islice(count_ngrams(ids, n_ids), order))
        self.orders = []
        for n, these in enumerate(grams, start=1):
            counts = np.bincount(these.number[these.ends], minlength=len(these.keys))
            if n < order:  # in how many contexts does the n-gram occur?
                longer = grams[n]
                _, first = np.unique(longer.number[longer.ends], return_index=True)
                suffixes = these.number[longer.ends[first]]
                contexts = np.bincount(suffixes, minlength=len(these.keys))
                counts = np.where(these.begins_text, counts, contexts)
            if n == 1:
                counts[these.keys == START] = 0  # a text's start is never predicted
            n_contexts = len(grams[n - 2].keys) if n > 1 else 1
            self.orders.append(
                discount(these.keys, counts, these.keys // n_ids, n_contexts, discounts)
            )

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Return the probability of each token but START, given those before it in its text."""
        begins = np.maximum.accumulate(np.where(ids == START, np.arange(len(ids)), 0))
        depth = np.arange(len(ids)) - begins
        p = np.full(len(ids), 1 / (self.n_ids - 1))  # all but START
        before = np.zeros(len(ids), np.int64)  # number of the context, -1 if it was never seen
        for n, order in enumerate(self.orders, start=1):
            wanted = before * self.n_ids + ids
            place = np.minimum(np.searchsorted(order.keys, wanted), len(order.keys) - 1)
            seen = (before >= 0) & (order.keys[place] == wanted) & (depth >= n - 1)
            number = np.where(seen, place, -1)
            in_text = depth >= n - 1
            p = np.where(in_text, order.discounted[number] + order.backoff[before] * p, p)
            before = np.concatenate([[-1], number[:-1]])
        return p[ids != START]


def count_ngrams(ids: np.ndarray, n_ids: int) -> Iterator[NGrams]:
    """Yield the n-grams of texts for n = 1, 2, ..."""
    place = np.arange(len(ids))
    depth = place - np.maximum.accumulate(np.where(ids == START, place, 0))  # tokens before it
    ends, before = place, np.zeros(len(ids), np.int64)  # START is a context, so it is counted here
    for n in count(1):
        keys, inverse = np.unique(before[ends] * n_ids + ids[ends], return_inverse=True)
        number = np.full(len(ids), -1, np.int64)
        number[ends] = inverse
        begins_text = np.zeros(len(keys), bool)
        begins_text[inverse] = depth[ends] == n - 1
        yield NGrams(keys, number, ends, begins_text)
        ends, before = place[depth >= n], np.concatenate([[-1], number[:-1]])


def discount(
    keys: np.ndarray,
    counts: np.ndarray,
    context: np.ndarray,
    n_contexts: int,
    discounts: Sequence[float] | None,
) -> Order:
    """Return the n-grams with discounted counts. context: the number of each one's context."""
    amounts = np.array([0, *(discounts or estimate_discounts(counts))])
    taken = amounts[np.minimum(counts, 3)]
    totals = np.bincount(context, counts, n_contexts)
    left = np.where(totals > 0, np.bincount(context, taken, n_contexts) / np.maximum(totals, 1), 1)
    discounted = (counts - taken) / np.maximum(totals, 1)[context]
    return Order(keys, np.append(discounted, 0.0), np.append(left, 1.0))


def estimate_discounts(counts: np.ndarray) -> list[float]:
    """Return the discounts of counts 1, 2, and 3 or more. Source: Chen and Goodman 1998, eq. 26."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return [0.5, 0.5, 0.5]  # too few n-grams to estimate
    y = n1 / (n1 + 2 * n2)
    return [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]


def read_texts(path: str) -> list[str]:
    """Return the lines of a file that are not blank."""
    data = Path(path).read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    return [line for line in text.split("\n") if line.strip()]


def main() -> None:
    """Print the figures of each test file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("train")
    parser.add_argument("test", nargs="+")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--min-count", type=int, default=2)
    options = parser.parse_args()
    texts = read_texts(options.train)
    vocabulary = Vocabulary(texts, options.min_count)
    model = KneserNey(vocabulary.encode(texts), len(vocabulary), options.order)
    for path in options.test:
        tests = read_texts(path)
        ids = vocabulary.encode(tests)
        bits = -np.log2(model.probabilities(ids)).sum()
        characters, size = sum(map(len, tests)), sum(len(text.encode()) for text in tests)
        print(
            f"{path}: {bits / characters:.4f} bits per character, {bits / size:.4f} per byte;"
            f" {characters:,} characters, {(ids == UNKNOWN).sum():,} unknown;"
            f" {len(vocabulary):,} ids; perplexity {2 ** (bits / (ids != START).sum()):.2f}"
        )


if __name__ == "__main__":
    main()
