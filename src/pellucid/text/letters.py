"""Words spelled so that each letter, its place in the word included, is one character.

The library numbers letters with a mark (`e</w>`, `##e`) in the order of a randomly seeded hash
table, so two trainings differ. Spelled with private characters they are plain, sorted letters.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tokenizers import Tokenizer as Library

PRIVATE = 0xF0000  # two planes of characters that no text has a meaning for
AT_ONCE = 1000


class Letter(NamedTuple):
    """A character of a word; `marked`: it stands where the kind of tokenizer puts its mark."""

    char: str
    marked: bool


def count_words(library: Library, texts: Iterable[str]) -> Counter[str]:
    """How often each word is seen, as the library's normaliser and pre-tokeniser cut them."""
    words: Counter[str] = Counter()
    for text in texts:
        clean = library.normalizer.normalize_str(text)
        words.update(word for word, _ in library.pre_tokenizer.pre_tokenize_str(clean))
    return words


class Letters:
    """The letters of a corpus, the most frequent first served, and words written in them."""

    def __init__(self, words: Counter[str], marked_from: Callable[[str], int], room: int) -> None:
        """`marked_from(word)`: the place from which letters are marked; `room`: letters kept."""
        self._marked_from = marked_from
        seen: Counter[Letter] = Counter()
        for word, count in words.items():
            for letter in self._letters(word):
                seen[letter] += count
        kept = sorted(sorted(seen), key=lambda letter: -seen[letter])[:room]
        self._code = {letter: chr(PRIVATE + rank) for rank, letter in enumerate(sorted(kept))}
        self._letter = {code: letter for letter, code in self._code.items()}

    def spelled(self, words: Counter[str]) -> Iterator[str]:
        """Every word as often as it was seen; a letter that found no room cuts it."""
        for word in sorted(words):
            spelling = "".join(self._code.get(letter, " ") for letter in self._letters(word))
            for start in range(0, words[word], AT_ONCE):
                yield " ".join([spelling] * min(AT_ONCE, words[word] - start))

    def read(self, spelling: str) -> list[Letter]:
        """The letters of a learned piece; none if it is not spelled in them."""
        return [self._letter[code] for code in spelling if code in self._letter]

    def _letters(self, word: str) -> list[Letter]:
        start = self._marked_from(word)
        return [Letter(char, place >= start) for place, char in enumerate(word)]
