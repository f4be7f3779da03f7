"""Learning a tokenizer: the same bytes every time, and what the settings promise."""

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from pellucid.config.data import TokenizerConfig
from pellucid.errors import ConfigError, DataError
from pellucid.text.tokenizer import TOKENS
from pellucid.text.train import train_tokenizer, train_tokenizers
from pellucid.text.untrained import KINDS

# Learned in a process of its own, from text made here; printed as sha256 for each kind.
PROGRAM = """
import hashlib, random
from pellucid.config.data import TokenizerConfig
from pellucid.text.untrained import KINDS
from pellucid.text.train import train_tokenizer
draw = random.Random(0)
syllables = [a + b for a in "bdfgklmnprst" for b in "aeiouäöü"]
words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(900)]
ends = [".", "!", "。", " 我"]
texts = [" ".join(draw.choices(words, k=9)) + draw.choice(ends) for _ in range(1500)]
for kind in KINDS:
    made = train_tokenizer(texts, TokenizerConfig(kind=kind, vocab_size=700))
    print(kind, hashlib.sha256(made.to_json().encode()).hexdigest())
"""


def test_equal_bytes_in_every_process():
    """Authority: other processes with other hash seeds and thread counts."""
    prints = set()
    for seed, threads, parallel in (("1", "1", "true"), ("2", "2", "true"), ("3", "4", "false")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "RAYON_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": parallel,
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, env=environment, check=True
        )
        prints.add(done.stdout)
    assert len(prints) == 1
    assert prints.pop().count(b"\n") == len(KINDS)


def merges_by_hand(words: Counter[str], end: str, rounds: int) -> list[str]:
    """Vocabulary of BPE as Sennrich et al. 2016 print it, by brute force.

    The paper leaves ties open; the library takes the pair whose pieces came first.
    """
    cut = {word: [*word[:-1], word[-1] + end] for word in words}
    vocab = sorted({piece for pieces in cut.values() for piece in pieces})
    for _ in range(rounds):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, pieces in cut.items():
            for pair in pairwise(pieces):
                pairs[pair] += words[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], *map(vocab.index, pair)))
        vocab.append("".join(best))
        for word, pieces in cut.items():
            joined: list[str] = []
            after_merge = False
            for piece in pieces:
                if joined and not after_merge and (joined[-1], piece) == best:
                    joined[-1] += piece
                    after_merge = True
                else:
                    joined.append(piece)
                    after_merge = False
            cut[word] = joined
    return vocab


def test_bpe_learns_the_merges_of_the_paper():
    """Authority: brute force by the paper's definition, with word ends."""
    words = Counter(low=50, lower=23, newest=67, widest=38, old=11, lollo=5, aaaaa=7)
    texts = [word for word, count in words.items() for _ in range(count)]
    expected = merges_by_hand(words, "</w>", 15)
    config = TokenizerConfig(kind="bpe", vocab_size=4 + len(expected))
    made = train_tokenizer(texts, config)
    assert made.pieces(range(4, made.vocab_size)) == expected


def test_wordpiece_marks_what_follows():
    made = train_tokenizer(
        ["unlikely likely un nun"] * 9, TokenizerConfig(kind="wordpiece", vocab_size=60)
    )
    vocab = made.pieces(range(made.vocab_size))
    assert {"un", "likely", "##y", "##u"} <= set(vocab)
    first, *rest = made.encode("ununun").pieces
    assert first == "un"
    assert rest
    assert all(piece.startswith("##") for piece in rest)


def test_min_frequency_and_vocab_size():
    texts = ["often often often twice twice once"]
    for least, kept in ((1, 3), (2, 2), (3, 1)):
        made = train_tokenizer(
            texts, TokenizerConfig(kind="word", vocab_size=99, min_frequency=least)
        )
        assert made.vocab_size == 4 + kept
    for kind in KINDS:
        made = train_tokenizer(
            ["the quick brown fox jumps over the lazy dog again and again"] * 3,
            TokenizerConfig(kind=kind, vocab_size=300 if kind == "byte-bpe" else 40),
        )
        assert made.vocab_size <= (300 if kind == "byte-bpe" else 40)
    many = [chr(0x4E00 + i) + " " + chr(0x4E00 + i // 2) for i in range(200)]
    made = train_tokenizer(many, TokenizerConfig(kind="bpe", vocab_size=54))
    assert made.vocab_size <= 54  # the most frequent letters keep their place
    assert 3 in made.encode(chr(0x4E00 + 199)).ids
    assert 3 not in made.encode(chr(0x4E00)).ids


def test_unigram_has_no_use_for_min_frequency():
    with pytest.raises(ConfigError, match="unigram"):
        train_tokenizer(["a b c"], TokenizerConfig(kind="unigram", min_frequency=5))


def test_unigram_needs_room_for_every_letter():  # authority: the letters, counted
    def made(size: int):
        config = TokenizerConfig(kind="unigram", vocab_size=size)
        return train_tokenizer(["the quick brown fox jumps"] * 3, config)

    with pytest.raises(ConfigError, match="vocab_size=8 is too small for kind: unigram"):
        made(8)
    assert made(40).vocab_size <= 40


@pytest.mark.parametrize("texts", [[], ["", "  ", "\n"]])
def test_nothing_to_learn_from(texts):
    for kind in KINDS:
        with pytest.raises(DataError, match="no text"):
            train_tokenizer(texts, TokenizerConfig(kind=kind))


def test_joint_and_separate():
    pairs = [("cat cat", "Katze Katze"), ("dog dog", "Hund Hund")] * 3
    joint = train_tokenizers(lambda: pairs, TokenizerConfig(kind="word", vocab_size=50))
    assert joint.joint
    assert set(joint.source.pieces(range(4, 8))) == {"cat", "dog", "Katze", "Hund"}
    config = TokenizerConfig(kind="word", vocab_size=50, joint=False)
    two = train_tokenizers(lambda: pairs, config)
    assert not two.joint
    assert set(two.source.pieces(range(4, 6))) == {"cat", "dog"}
    assert set(two.target.pieces(range(4, 6))) == {"Katze", "Hund"}
    assert two.source.pieces(range(4)) == list(TOKENS.values())
