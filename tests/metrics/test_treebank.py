"""Words of the Penn Treebank.  Authority: NLTK, on random text made of what its rules look for."""

import random

import pytest

from pellucid.metrics.treebank import split_treebank_words

UNITS = ["a", "b", "not", "can", "n", "t", "d", "gim", "lem", "me", "gon", "na", "got", "ta", "wan"]
UNITS += ["more", "is", "was", "S", "LL", "ll", "re", "ve", "m", "é", "中", "1", "2", "_"]
UNITS += [" "] * 8 + ["\t", "\u00a0", "\n", "'"] * 2 + ["''", '"', "`", "``", "«", "»", "“", "”"]
UNITS += ["‘", "’", "„", ".", ".", "..", ",", ":", ";", "?", "!", "*", "-", "--", "—", "%", "$"]
UNITS += ["(", ")", "[", "]", "{", "}", "<", ">", "&", "@", "#", "/"]


def test_words_are_those_of_nltk():
    nltk = pytest.importorskip("nltk.tokenize").NLTKWordTokenizer()
    rng = random.Random(1)
    for _ in range(5_000):
        text = "".join(rng.choices(UNITS, k=rng.randint(0, 12)))
        assert split_treebank_words(text) == nltk.tokenize(text), text


def test_by_hand():
    words = split_treebank_words("They can't say \"gonna\", Mr. Bond (it's 3,000.5%).")
    expected = "They ca n't say `` gon na '' , Mr. Bond ( it 's 3,000.5 % ) ."
    assert words == expected.split()
