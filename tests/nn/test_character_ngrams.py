"""Vectors from the n-grams of words. Authority: the n-grams of strings, listed one by one."""

import numpy as np
import pytest
import torch

from nn.samples import max_difference, small
from pellucid.errors import ConfigError
from pellucid.nn.character_ngrams import MAX_CHARACTERS, MULTIPLIER, CharacterNgrams

PIECES = ("", "", "Ber", "lin", "er", "B", "Berlin", "ist", "Ist", "l", "in")
"""0 and 1 are special tokens."""
CONTINUES = (3, 4, 9, 10)
BOUNDARY = "\0"


def module(longest=3, rows=97, ends=()):
    ngrams = CharacterNgrams(
        small(n_decoder_layers=0, character_ngrams=longest, ngram_rows=rows), len(PIECES)
    )
    ngrams.initialize(torch.Generator().manual_seed(1))
    codes = np.zeros((len(PIECES), MAX_CHARACTERS), np.int32)
    for i, piece in enumerate(PIECES):
        codes[i, : len(piece)] = [ord(c) for c in piece]
    begins = torch.tensor([i not in CONTINUES for i in range(len(PIECES))])
    ended = torch.tensor([i in ends for i in range(len(PIECES))])
    ngrams.set_vocabulary(torch.from_numpy(codes), begins, ended)
    return ngrams


def vector(ngrams, word):
    """The mean of the vectors of a word's n-grams, whose hash is computed with integers."""
    text = BOUNDARY + word + BOUNDARY
    rows = []
    for n in range(1, ngrams.longest + 1):
        for part in (text[i : i + n] for i in range(len(text) - n + 1)):
            if part.strip(BOUNDARY):
                code = 0
                for character in part:
                    code = code * MULTIPLIER + ord(character) + 1
                code = (code + 2**63) % 2**64 - 2**63  # as an integer of 64 bits
                rows.append((code ^ code >> 32) % len(ngrams.weight))
    return ngrams.weight[rows].mean(0)


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_a_token_has_the_n_grams_of_its_word(longest):
    ngrams = module(longest)
    words = ["Berlin", "ist", "B", "Berer", "Berlin"]
    ids = torch.tensor([[1, 2, 3, 7, 5, 0], [1, 2, 4, 2, 9, 10]])
    expected = [["", *[words[0]] * 2, "ist", "B", ""], ["", *["Berer"] * 2, *["Berlin"] * 3]]
    output = ngrams(ids)
    for row, texts in zip(output, expected, strict=True):
        for state, text in zip(row, texts, strict=True):
            wanted = vector(ngrams, text) if text else torch.zeros_like(state)
            assert max_difference(state, wanted) <= 1e-6
    assert max_difference(output[0, 1], ngrams(torch.tensor([[6]]))[0, 0]) <= 1e-6


def test_a_piece_that_ends_a_word_is_followed_by_another_word():
    ngrams = module(ends=(3,))
    state = ngrams(torch.tensor([[2, 3, 4]]))[0]
    assert max_difference(state[1], vector(ngrams, "Berlin")) <= 1e-6
    assert max_difference(state[2], vector(ngrams, "er")) <= 1e-6


def test_the_first_token_of_a_row_begins_a_word():  # algebra: rows are independent
    ngrams = module()
    ids = torch.tensor([[5, 4, 6], [3, 7, 8]])
    together = ngrams(ids)
    for row, alone in zip(together, ids, strict=True):
        assert max_difference(row, ngrams(alone[None])[0]) <= 1e-6
    assert max_difference(together[1, 0], vector(ngrams, "lin")) <= 1e-6


def test_they_are_for_encoders():
    with pytest.raises(ConfigError, match="n_decoder_layers"):
        small(character_ngrams=3, n_decoder_layers=1)
