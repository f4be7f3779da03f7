"""Vectors of words: nearest words, analogies, and files in word2vec's text format."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pellucid.data.vectors import read_all_vectors
from pellucid.errors import UsageError
from pellucid.files import atomic_write

FILE = "vectors.txt"
"""Name of the file in a directory of word vectors."""


class Neighbor(NamedTuple):
    """A word and how similar it is."""

    word: str
    similarity: float
    """The cosine."""


@dataclass(frozen=True)
class WordVectors:
    """Words and their vectors."""

    words: tuple[str, ...]
    values: np.ndarray
    """(W, E), float32."""
    card: str = ""

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> np.ndarray:
        """Return the vector (E,) of a word. Raises: UsageError if it has none."""
        return self.values[self._row(word)]

    def similarity(self, first: str, second: str) -> float:
        """Return the cosine of two words. Raises: UsageError if one has no vector."""
        return float(self._unit[self._row(first)] @ self._unit[self._row(second)])

    def nearest(self, word: str, top: int = 10) -> list[Neighbor]:
        """Return the `top` most similar words, best first.

        Raises: UsageError if the word has no vector, or top < 1.
        """
        return self._search(self._unit[self._row(word)], (word,), top)

    def analogy(self, first: str, second: str, third: str, top: int = 10) -> list[Neighbor]:
        """Return the words that are to `third` as `second` is to `first`, best first.

        They are nearest to second - first + third; the three words themselves are left out.
        Source: Mikolov et al. 2013c (Linguistic Regularities).
        Raises: UsageError if a word has no vector, or top < 1.
        """
        a, b, c = (self._unit[self._row(word)] for word in (first, second, third))
        return self._search(b - a + c, (first, second, third), top)

    def save(self, directory: Path) -> None:
        """Write `vectors.txt` in word2vec's text format; numbers are exact."""
        lines = [f"{len(self.words)} {self.values.shape[1]}\n"]
        for word, row in zip(self.words, self.values, strict=True):
            lines.append(f"{word} {' '.join(map(str, row))}\n")
        atomic_write(Path(directory) / FILE, "".join(lines).encode())

    def _search(self, query: np.ndarray, without: Sequence[str], top: int) -> list[Neighbor]:
        if top < 1:
            raise UsageError(f"top={top}: ask for 1 word or more.")
        norm = float(np.linalg.norm(query))
        scores = self._unit @ (query / norm if norm else query)  # (W,)
        scores[[self._row(word) for word in without]] = -np.inf
        best = np.argsort(-scores, kind="stable")[: min(top, len(scores) - len(set(without)))]
        return [Neighbor(self.words[i], float(scores[i])) for i in best]

    def _row(self, word: str) -> int:
        if word not in self._rows:
            near = difflib.get_close_matches(word, self.words, n=3)
            hint = f" Similar: {', '.join(near)}." if near else " Is it lowercase there?"
            raise UsageError(f"{word[:60]!r} has no vector.{hint}")
        return self._rows[word]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _unit(self) -> np.ndarray:
        """The vectors with length 1; a vector of zeros stays."""
        norms = np.linalg.norm(self.values, axis=1, keepdims=True)
        return self.values / np.where(norms, norms, 1.0)


def open_word_vectors(file: str | Path) -> WordVectors:
    """Read all vectors of a file in word2vec or GloVe text format, also gzipped.

    Raises: DataError naming file and line, as `read_vectors`.
    """
    words, values = read_all_vectors(str(file))
    return WordVectors(tuple(words), values)
