"""Encode each letter and its mark as one character, so that training BPE is deterministic.

The trainer of `tokenizers` numbers marked letters (`e</w>`, `##e`) in the order of a randomly
seeded hash table, so two trainings differ. Unmarked letters are sorted. Therefore each marked
letter is replaced by a private-use character during training.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tokenizers import Tokenizer as Library

PRIVATE = 0xF0000  # the private-use planes of Unicode
WORDS_PER_TEXT = 1000


class Letter(NamedTuple):
    """A character of a word; marked: the tokenizer writes it with `</w>` or `##`."""

    char: str
    marked: bool


def count_words(library: Library, texts: Iterable[str]) -> Counter[str]:
    """Count the words that the library's normaliser and pre-tokeniser make of texts."""
    words: Counter[str] = Counter()
    for text in texts:
        clean = library.normalizer.normalize_str(text)
        words.update(word for word, _ in library.pre_tokenizer.pre_tokenize_str(clean))
    return words


class MarkedLetters:
    """A code for the most frequent letters of a corpus."""

    def __init__(
        self, words: Counter[str], marked_from: Callable[[str], int], max_letters: int
    ) -> None:
        """marked_from: word -> index of its first marked letter. max_letters: letters to keep."""
        self._marked_from = marked_from
        seen: Counter[Letter] = Counter()
        for word, count in words.items():
            for letter in self._letters(word):
                seen[letter] += count
        kept = sorted(sorted(seen), key=lambda letter: -seen[letter])[:max_letters]
        self._code = {letter: chr(PRIVATE + rank) for rank, letter in enumerate(sorted(kept))}
        self._letter = {code: letter for letter, code in self._code.items()}

    def spell(self, words: Counter[str]) -> Iterator[str]:
        """Yield each encoded word as often as it occurs; a letter without a code splits it."""
        for word in sorted(words):
            spelling = "".join(self._code.get(letter, " ") for letter in self._letters(word))
            for start in range(0, words[word], WORDS_PER_TEXT):
                yield " ".join([spelling] * min(WORDS_PER_TEXT, words[word] - start))

    def letters_of(self, spelling: str) -> list[Letter]:
        """Return the letters of a learned piece; [] for a special token."""
        return [self._letter[code] for code in spelling if code in self._letter]

    def _letters(self, word: str) -> list[Letter]:
        start = self._marked_from(word)
        return [Letter(char, position >= start) for position, char in enumerate(word)]
