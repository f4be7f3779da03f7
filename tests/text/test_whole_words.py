"""Which pieces belong to one word. Authority: words by hand; transformers' word ids."""

import numpy as np
import pytest
from transformers import BertTokenizerFast

from pellucid.config.data import TokenizerConfig
from pellucid.text.special_tokens import BERT_TOKENS
from pellucid.text.train import train_tokenizer
from pellucid.text.whole_words import find_characters, find_word_boundaries

TEXTS = [
    "The unmistakable walrus isn't here.",
    "Die Bücher kosteten 1234 Euro, oder?",
    "Всё хорошо, правда.",
]
WORDS = [
    ["The", "unmistakable", "walrus", "isn", "'", "t", "here", "."],
    ["Die", "Bücher", "kosteten", "1234", "Euro", ",", "oder", "?"],
    ["Всё", "хорошо", ",", "правда", "."],
]


def learned(kind, texts, size):
    config = TokenizerConfig(kind=kind, vocab_size=size, min_frequency=1)
    if kind == "unigram":
        config = TokenizerConfig(kind=kind, vocab_size=size)
    return train_tokenizer(texts, config, BERT_TOKENS)


def words_of(tokenizer, text):
    """The text of each word by `number_words`, without the space before it."""
    ids = tokenizer.encode(text).ids
    numbers = find_word_boundaries(tokenizer).number_words(np.array([ids]))[0]
    return [
        tokenizer.decode([i for i, n in zip(ids, numbers, strict=True) if n == word]).strip()
        for word in range(numbers.max() + 1)
    ]


def without_apostrophes(words):
    """Words as a tokenizer has them that splits only before the apostrophe."""
    return " ".join(words).replace("' t", "'t").split()


@pytest.mark.parametrize(
    ("kind", "size"), [("wordpiece", 100), ("byte-bpe", 290), ("unigram", 50), ("char", 60)]
)
def test_words_of_languages_with_spaces(kind, size):
    tokenizer = learned(kind, TEXTS, size)
    n_pieces = sum(len(tokenizer.encode(text).ids) for text in TEXTS)
    assert n_pieces > sum(map(len, WORDS)) + 3, "the vocabulary is too large to test anything"
    for text, words in zip(TEXTS, WORDS, strict=True):
        expected = words if kind in ("wordpiece", "unigram", "char") else without_apostrophes(words)
        assert [w for w in words_of(tokenizer, text) if w] == expected


def test_words_end_where_the_mark_says():
    tokenizer = learned("bpe", TEXTS, 120)
    assert words_of(tokenizer, TEXTS[0]) == TEXTS[0].split()
    assert words_of(learned("word", TEXTS, 60), TEXTS[0]) == TEXTS[0].split()


@pytest.mark.parametrize("kind", ["byte-bpe", "unigram", "wordpiece"])
def test_a_chinese_piece_is_a_word(kind):
    texts = ["我们去中国的学校学习", "中国的学校", "我们学习"] * 3
    tokenizer = learned(kind, texts, 300 if kind == "byte-bpe" else 40)
    ids = tokenizer.encode("我们去中国学习").ids
    numbers = find_word_boundaries(tokenizer).number_words(np.array([ids]))[0]
    texts_of_words = words_of(tokenizer, "我们去中国学习")
    assert "".join(texts_of_words) == "我们去中国学习"
    assert len(texts_of_words) >= 3
    assert "\ufffd" not in "".join(texts_of_words)  # a character in several bytes stays whole
    if kind != "byte-bpe":
        assert numbers.tolist() == list(range(len(ids)))


def test_chinese_words_of_a_tokenizer_that_marks_them(tmp_path):  # authority: the marks, by hand
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "中", "##国", "国", "人"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab))
    from pellucid.text.published.open import open_tokenizer

    tokenizer = open_tokenizer(tmp_path)
    boundaries = find_word_boundaries(tokenizer)
    assert boundaries.number_words(np.array([[2, 5, 6, 8, 7, 3]]))[0].tolist() == [0, 1, 1, 2, 3, 4]


def test_words_are_those_of_transformers(tmp_path):  # authority: BertTokenizerFast.word_ids
    tokenizer = learned("wordpiece", TEXTS, 120)
    pieces = [tokenizer.pieces([i])[0] for i in range(tokenizer.vocab_size)]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    peer = BertTokenizerFast(str(tmp_path / "vocab.txt"), do_lower_case=False)
    boundaries = find_word_boundaries(tokenizer)
    for text in TEXTS:
        encoding = peer(text, add_special_tokens=False)
        ids = np.array([encoding["input_ids"]])
        assert boundaries.number_words(ids)[0].tolist() == encoding.word_ids()


@pytest.mark.parametrize(
    ("kind", "size"),
    [("wordpiece", 100), ("bpe", 120), ("byte-bpe", 290), ("unigram", 50), ("word", 60)],
)
def test_the_characters_of_pieces_spell_the_text(kind, size):
    tokenizer = learned(kind, TEXTS, size)
    codes = find_characters(tokenizer, 20)
    assert not codes[[*tokenizer.roles.values()]].any()
    for text in TEXTS:
        points = [p for i in tokenizer.encode(text).ids for p in codes[i] if p]
        data = "".join(map(chr, points)).encode("utf-8", "surrogateescape")
        assert data.decode() == text.replace(" ", "")
    assert find_characters(tokenizer, 2)[:, :2].tolist() == codes[:, :2].tolist()
