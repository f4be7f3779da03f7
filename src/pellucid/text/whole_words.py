"""Which pieces of a text belong to one word."""

import unicodedata
from typing import NamedTuple

import numpy as np

from pellucid.text.display import BYTE_OF, display
from pellucid.text.tokenizer import Tokenizer

UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x2E80, 0x31FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9D)),  # Han and kana
    (0x1B000, 0x3FFFF),  # further Han and kana
)
"""Ranges of characters of scripts without spaces between words."""
ESCAPED = 0xDC00
"""A byte that is no complete character is written as this plus its value (PEP 383)."""


class WordBoundaries(NamedTuple):
    """Which pieces of a vocabulary begin or end a word, by id."""

    begins: np.ndarray  # (V,), True where a piece begins a word, whatever precedes it
    ends: np.ndarray  # (V,), True where it ends one, whatever follows it

    def number_words(self, ids: np.ndarray) -> np.ndarray:
        """Return the number of the word of each token: ids (B, T) -> (B, T), from 0."""
        begins = self.begins[ids]
        begins[:, 1:] |= self.ends[ids[:, :-1]]
        begins[:, 0] = False
        return begins.cumsum(axis=1)


def find_word_boundaries(tokenizer: Tokenizer) -> WordBoundaries:
    """Return the word boundaries of a tokenizer's pieces.

    Marks of the kind decide where it has some: `##`, `</w>`, `@@`. In others (SentencePiece,
    byte-level BPE, characters) a space begins a word, letters and digits without a space continue
    it, and each punctuation mark and each piece of a script without spaces is a word.
    """
    begins = np.ones(tokenizer.vocab_size, bool)
    ends = np.ones(tokenizer.vocab_size, bool)
    special = {*tokenizer.roles.values(), *tokenizer.extra.values()}
    for i, piece in tokenizer.pieces_by_id.items():
        if i not in special:
            begins[i], ends[i] = _edges(piece, tokenizer.kind)
    return WordBoundaries(begins, ends)


def find_characters(tokenizer: Tokenizer, limit: int) -> np.ndarray:
    """Return the code points of the first characters of each piece, (V, limit), filled up with 0.

    Marks of word boundaries are no characters, and special tokens have none. Of byte-level BPE, a
    byte of an incomplete character is a surrogate.
    """
    codes = np.zeros((tokenizer.vocab_size, limit), np.int32)
    special = {*tokenizer.roles.values(), *tokenizer.extra.values()}
    for i, piece in tokenizer.pieces_by_id.items():
        if i not in special:
            kind = tokenizer.kind
            text = _characters(piece) if kind == "byte-bpe" else display(piece, kind)
            points = [ord(c) for c in text.strip(" ")[:limit]]
            codes[i, : len(points)] = points
    return codes


def _edges(piece: str, kind: str) -> tuple[bool, bool]:
    """Return whether a piece begins a word, and whether it ends one."""
    if kind == "wordpiece":
        return not piece.startswith("##"), False
    if kind == "bpe":
        return False, piece.endswith("</w>")
    if kind == "cut-bpe":
        return False, not piece.endswith("@@")
    if kind == "word":
        return True, True
    text = _characters(piece) if kind == "byte-bpe" else display(piece, kind)
    if not text:
        return True, True
    # A space belongs to the word after it.
    return text[0] == " " or not _continues(text[0]), text[-1] != " " and not _is_continued(
        text[-1]
    )


def _characters(piece: str) -> str:
    """Return the characters of a byte piece; a byte of an incomplete character is a surrogate."""
    if any(c not in BYTE_OF for c in piece):
        return piece  # a special token
    return bytes(BYTE_OF[c] for c in piece).decode("utf-8", "surrogateescape")


def _continues(char: str) -> bool:
    """Return whether a character may continue the word before it."""
    byte = ord(char) - ESCAPED
    if 0x80 <= byte <= 0xFF:
        # The rest of a character, or the first byte of one: up to U+1FFF and from U+A000 to U+DFFF
        # those are letters of scripts with spaces.
        return byte < 0xE2 or 0xEA <= byte <= 0xED
    return _is_letter(char)


def _is_continued(char: str) -> bool:
    """Return whether the next character may continue the word; a space starts the next word."""
    return char == " " or 0x80 <= ord(char) - ESCAPED <= 0xFF or _is_letter(char)


def _is_letter(char: str) -> bool:
    """Return whether this is a letter, mark or digit of a script with spaces between words."""
    code = ord(char)
    if any(first <= code <= last for first, last in UNSPACED):
        return False
    return char.isalnum() or unicodedata.category(char).startswith("M")
