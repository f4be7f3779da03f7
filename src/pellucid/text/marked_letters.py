"""Words spelled so that each letter, with its mark, is one character.

The library numbers letters with a mark (`e</w>`, `##e`) in the order of a randomly seeded hash
table, so two trainings differ. Spelled with private characters they are plain, sorted letters.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tokenizers import Tokenizer as Library

PRIVATE = 0xF0000  # two planes of characters without a meaning in any text
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
    """The most frequent letters of a corpus, and words spelled in them."""

    def __init__(
        self, words: Counter[str], marked_from: Callable[[str], int], max_letters: int
    ) -> None:
        """marked_from: gives the first marked position of a word. max_letters: letters to keep."""
        self._marked_from = marked_from
        seen: Counter[Letter] = Counter()
        for word, count in words.items():
            for letter in self._letters(word):
                seen[letter] += count
        kept = sorted(sorted(seen), key=lambda letter: -seen[letter])[:max_letters]
        self._code = {letter: chr(PRIVATE + rank) for rank, letter in enumerate(sorted(kept))}
        self._letter = {code: letter for letter, code in self._code.items()}

    def spell(self, words: Counter[str]) -> Iterator[str]:
        """Every word as often as it was seen; a letter that was not kept splits it."""
        for word in sorted(words):
            spelling = "".join(self._code.get(letter, " ") for letter in self._letters(word))
            for start in range(0, words[word], WORDS_PER_TEXT):
                yield " ".join([spelling] * min(WORDS_PER_TEXT, words[word] - start))

    def letters_of(self, spelling: str) -> list[Letter]:
        """The letters of a learned piece; none for a special token."""
        return [self._letter[code] for code in spelling if code in self._letter]

    def _letters(self, word: str) -> list[Letter]:
        start = self._marked_from(word)
        return [Letter(char, position >= start) for position, char in enumerate(word)]
