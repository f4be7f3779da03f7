"""Encode sentences that are given as words, and find the first piece of each word."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pellucid.errors import UsageError
from pellucid.text.guard import clean_text
from pellucid.text.tokenizer import Tokenizer

SEPARATOR = re.compile("[ \t\r\n]+")
"""Other spaces, such as the one that breaks no line, are parts of words."""


class WordPieces(NamedTuple):
    """A sentence of words, split into pieces."""

    ids: list[int]
    first: list[int]
    """For each word, the index in `ids` of its first piece."""


def encode_words(tokenizer: Tokenizer, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
    """Return the ids of each sentence, without special tokens, and the first piece of each word.

    Pieces never cross words. A word that gives no piece, such as an empty string or a control
    character, becomes the unknown token, so each word has a first piece.
    Raises: UsageError if a word is not a string; DataError if it is too long for one text.
    """
    space = " " if _spaces_belong_to_words(tokenizer) else ""
    texts = [
        [(space if i else "") + clean_text(word) for i, word in enumerate(words)]
        for words in sentences
    ]
    distinct = list(dict.fromkeys(text for words in texts for text in words))
    ids_of = dict(zip(distinct, tokenizer.encode_batch(distinct), strict=True))
    unknown = unknown_ids(tokenizer) if not all(ids_of.values()) else []
    return [_join([ids_of[text] or unknown for text in words]) for words in texts]


def split_words(sentence: str | Sequence[str]) -> Sequence[str]:
    """Return the words of a sentence; those of a string by spaces, tabs or line breaks.

    Raises: UsageError if it is neither a string nor a list of words.
    """
    if isinstance(sentence, str):
        return [word for word in SEPARATOR.split(sentence) if word]
    if not isinstance(sentence, (list, tuple)):
        raise UsageError(
            f"{sentence!r:.60} is {type(sentence).__name__}, neither a string nor a list of words."
        )
    return sentence


def _join(words: Sequence[Sequence[int]]) -> WordPieces:
    ids: list[int] = []
    first: list[int] = []
    for pieces in words:
        first.append(len(ids))
        ids.extend(pieces)
    return WordPieces(ids, first)


def _spaces_belong_to_words(tokenizer: Tokenizer) -> bool:
    """Return whether the pieces of a word include the space before it.

    True of byte-level BPE, where " a" and "a" are different pieces, unless the tokenizer itself
    puts a space before each text; and of characters.
    """
    alone, spaced, both = tokenizer.encode_batch(["a", " a", "a a"])
    return spaced != alone and both == [*alone, *spaced]


def unknown_ids(tokenizer: Tokenizer) -> list[int]:
    """Return the ids of a word without pieces. Byte-level BPE may have no unknown token."""
    if "unk" not in tokenizer.roles:
        return tokenizer.encode(" ").ids or [tokenizer.id("unk")]
    return [tokenizer.id("unk")]
