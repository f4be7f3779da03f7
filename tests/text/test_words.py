"""Words to ids.

Authority: transformers' `is_split_into_words` and its `word_ids()`, on files made here; for our own
kinds the text itself, its words joined by spaces.
"""

import pytest
from transformers import AlbertTokenizer, BertTokenizer, GPT2Tokenizer, RobertaTokenizer

from pellucid.config.data import TokenizerConfig
from pellucid.errors import UsageError
from pellucid.text.published.open import open_tokenizer, open_tokenizers
from pellucid.text.train import train_tokenizer
from pellucid.text.words import WordPieces, encode_words
from text.mixed import mixed_lines
from text.published import samples as published
from text.published.test_open import SPELLINGS
from text.samples import TEXTS

SENTENCES = [line.split() for line in mixed_lines(600, seed=5)]
# A text that spells a special token is characters here, and that token in transformers. U+0085 is a
# space there, not in SentencePiece; so is the place before a symbol that users of ALBERT defined.
# Its Hangul stays decomposed there, SentencePiece composes it again.
APART = [*SPELLINGS, "\x85"]
DEFINED = ["(", ")", "£", "1999,"]
HANGUL = ["각", "한", "국", "어"]


def without(names):
    return [words for words in SENTENCES if not any(n in word for word in words for n in names)]


PLAIN = without(APART)


def spaced(directory, **config):
    return published.byte_bpe(directory, published.FAIRSEQ, add_prefix_space=True, **config)


FILES = {
    "BERT": (BertTokenizer, published.wordpiece, {}, PLAIN),
    "BERT cased": (BertTokenizer, published.wordpiece, {"do_lower_case": False}, PLAIN),
    "RoBERTa": (RobertaTokenizer, spaced, {"tokenizer_class": "RobertaTokenizer"}, PLAIN),
    "ALBERT": (AlbertTokenizer, published.albert, {}, without([*APART, *DEFINED, *HANGUL])),
}


@pytest.mark.parametrize("name", FILES)
def test_published_tokenizers_split_words_as_transformers_does(name, tmp_path):
    kind, write, settings, sentences = FILES[name]
    reference = kind.from_pretrained(write(tmp_path, **settings))
    compared = 0
    pieces_of = encode_words(open_tokenizer(tmp_path), sentences)
    for words, pieces in zip(sentences, pieces_of, strict=True):
        encoding = reference(words, is_split_into_words=True, add_special_tokens=False)
        owners = encoding.word_ids()
        assert len(pieces.first) == len(words)
        if set(owners) == set(range(len(words))):  # there a word without a piece is lost
            firsts = [owners.index(i) for i in range(len(words))]
            assert (pieces.ids, pieces.first) == (encoding["input_ids"], firsts), words
            compared += len(words)
    assert compared >= 1500


def test_without_a_prefix_space_the_first_word_has_none(tmp_path):
    """Authority: transformers' ids of the words joined by spaces."""
    published.byte_bpe(tmp_path, ["<|endoftext|>"], tokenizer_class="GPT2Tokenizer")
    reference, tokenizer = GPT2Tokenizer.from_pretrained(tmp_path), open_tokenizer(tmp_path)
    for words, pieces in zip(PLAIN, encode_words(tokenizer, PLAIN), strict=True):
        assert pieces.ids == reference(" ".join(words))["input_ids"], words


@pytest.mark.parametrize("joint", [published.t5, published.mbart])
def test_sentencepiece_words_are_those_of_the_text(joint, tmp_path):
    """Authority: the ids of the words joined by spaces."""
    joint(tmp_path)
    tokenizer = open_tokenizer(tmp_path)
    check_against_the_text(tokenizer)


def test_a_translators_source_words_are_those_of_the_text(tmp_path):  # authority: as above
    published.marian(tmp_path)
    check_against_the_text(open_tokenizers(tmp_path).source)


def test_words_of_other_vocabularies_are_those_of_the_text(tmp_path):  # authority: as above
    published.cut_bpe(tmp_path, tokenizer_class="CTRLTokenizer")
    check_against_the_text(open_tokenizer(tmp_path))


def test_own_kinds_split_words_as_the_text(kind, trained):  # authority: as above
    check_against_the_text(trained[kind])


def check_against_the_text(tokenizer):
    line = "The animal didn't cross the street, 这只动物 überquerte 1999 U.S.A."
    words = line.split(" ")
    (pieces,) = encode_words(tokenizer, [words])
    encoding = tokenizer.encode(line)
    assert pieces.ids == encoding.ids
    ends = [sum(map(len, words[: i + 1])) + i for i in range(len(words))]
    # The space before a word is part of it: whatever ends behind a word's end is of the next one.
    owners = [next(i for i, end in enumerate(ends) if stop <= end) for _, stop in encoding.offsets]
    assert pieces.first == [owners.index(i) for i in range(len(words))]


@pytest.mark.parametrize("lost", ["", "\u200b\x01", " "])
def test_no_word_is_lost(lost, kind, trained):
    tokenizer = trained[kind]
    (pieces,) = encode_words(tokenizer, [["The", lost, "street", lost]])
    (with_unknown,) = encode_words(tokenizer, [["The", "street"]])
    assert len(pieces.first) == 4
    assert sorted(set(pieces.first)) == pieces.first
    assert pieces.first[-1] < len(pieces.ids)
    assert pieces.first[1] == with_unknown.first[1]


def test_a_word_without_pieces_is_the_unknown_token(tmp_path):
    published.wordpiece(tmp_path)
    tokenizer = open_tokenizer(tmp_path)
    assert tokenizer.encode("\x01").ids == []
    assert encode_words(tokenizer, [["\x01"], []]) == [
        WordPieces([tokenizer.id("unk")], [0]),
        WordPieces([], []),
    ]


def test_a_batch_is_its_singles():
    tokenizer = train_tokenizer(TEXTS, TokenizerConfig(vocab_size=300))
    assert encode_words(tokenizer, SENTENCES) == [
        encode_words(tokenizer, [words])[0] for words in SENTENCES
    ]
    with pytest.raises(UsageError, match="Give a str"):
        encode_words(tokenizer, [["a", 3]])
