"""Pairs of segments. Authority: the definitions of the papers, checked on what is drawn."""

import numpy as np
import pytest

from pellucid.config.data import TokenizerConfig
from pellucid.data.examples import Encoded, InMemoryExamples
from pellucid.data.records import Record
from pellucid.errors import DataError
from pellucid.tasks.sentence_pairs import _cut, draw_pair, encode_blocks
from pellucid.text.special_tokens import BERT_TOKENS
from pellucid.text.train import train_tokenizer

MOST = 20
# Sentence s of document d is made of words "d.s", so that an id tells where it is from.
RNG = np.random.default_rng(7)
DOCUMENTS = [[[f"w{d}x{s}"] * int(RNG.integers(1, 8)) for s in range(n)] for d, n in
             enumerate([2, 3, 9, 30, 1, 12, 2])]  # fmt: skip
TEXTS = ["\n".join(" ".join(sentence) for sentence in document) for document in DOCUMENTS]
RECORDS = [Record("f", i, (text,)) for i, text in enumerate(TEXTS, start=1)]
TOKENIZER = train_tokenizer(
    TEXTS, TokenizerConfig(kind="word", vocab_size=500, min_frequency=1), BERT_TOKENS
)


def encoded(records=RECORDS, most=MOST):
    return list(encode_blocks(records, TOKENIZER, most))


def examples_of(records=RECORDS, most=MOST):
    return InMemoryExamples([e for e in encoded(records, most) if isinstance(e, Encoded)])


def origin(i):
    """(document, sentence) of an id."""
    document, sentence = TOKENIZER.pieces([int(i)])[0][1:].split("x")
    return int(document), int(sentence)


def drawn(pairs, n=4000, examples=None):
    examples = examples or examples_of()
    rng = np.random.default_rng(0)
    for number in range(n):
        index = number % len(examples)
        yield index, examples[index], draw_pair(examples, index, pairs, MOST, rng)


def test_blocks_are_the_sentences_of_a_document_in_order():
    each = encoded()
    assert [e.reason for e in each if not isinstance(e, Encoded)] == ["with one sentence"]
    by_document = {}
    for example in (e for e in each if isinstance(e, Encoded)):
        ids, ends, (number,) = example.columns
        blocks = by_document.setdefault(example.record.line, [])
        assert number == len(blocks)
        blocks.append(ids)
        sentences = np.split(ids, ends[:-1])
        assert len(sentences) >= 2
        assert all(len({origin(i) for i in sentence}) == 1 for sentence in sentences)
        assert len(np.concatenate(sentences[:-1])) < MOST or len(sentences) == 2
        assert example.lengths == (min(len(ids), MOST) + 3,)
    for line, blocks in by_document.items():
        whole = TOKENIZER.encode(TEXTS[line - 1]).ids
        ids = np.concatenate(blocks).tolist()
        if ids != whole:  # the last sentence alone was put with the one before it
            repeated = len(ids) - len(whole)
            assert ids[: len(whole) - 1] != ids
            assert blocks[-1][:repeated].tolist() == blocks[-2][-repeated:].tolist()
            assert np.concatenate([*blocks[:-1], blocks[-1][repeated:]]).tolist() == whole


def test_half_of_next_sentences_are_of_another_document():
    labels = []
    for _, (ids, _, _), pair in drawn("next_sentence"):
        labels.append(pair.label)
        assert 2 <= len(pair.first) + len(pair.second) <= min(len(ids), MOST)
        assert min(len(pair.first), len(pair.second)) > 0
        first, second = ([origin(i) for i in part] for part in pair[:2])
        assert len({d for d, _ in first}) == len({d for d, _ in second}) == 1
        if pair.label:
            assert first[0][0] != second[0][0]
        else:
            assert first[0][0] == second[0][0]
            assert second[0][1] > first[-1][1]
    # Binomial: 4 standard deviations (Devlin et al. 2019, appendix A.2: 50 %)
    assert abs(np.mean(labels) - 0.5) < 4 * 0.5 / len(labels) ** 0.5


def test_half_of_ordered_segments_are_swapped():
    labels = []
    for _, _, pair in drawn("sentence_order"):
        labels.append(pair.label)
        first, second = ([origin(i)[1] for i in part] for part in pair[:2])
        assert origin(pair.first[0])[0] == origin(pair.second[0])[0]
        assert (first[0] > second[-1]) == bool(pair.label)
    assert abs(np.mean(labels) - 0.5) < 4 * 0.5 / len(labels) ** 0.5


def test_other_documents_and_splits_are_sampled_evenly():
    examples = examples_of()
    counts = np.zeros(7)
    rng = np.random.default_rng(1)
    for _ in range(3000):
        pair = draw_pair(examples, 0, "next_sentence", MOST, rng)
        if pair.label:
            counts[origin(pair.second[0])[0]] += 1
    shares = counts / counts.sum()
    blocks = np.array([int(sum(origin(examples[i][0][0])[0] == d for i in range(len(examples))))
                       for d in range(7)])  # fmt: skip
    blocks[0] = 0  # its own document
    assert np.abs(shares - blocks / blocks.sum()).max() < 4 * 0.5 / counts.sum() ** 0.5


def test_another_segment_is_as_long_as_the_true_one():  # its length must not give it away
    lengths = {0: [], 1: []}
    for _, (ids, _, _), pair in drawn("next_sentence", 6000):
        if len(ids) >= MOST:
            lengths[pair.label].append(len(pair.first) + len(pair.second))
    assert abs(np.mean(lengths[0]) - np.mean(lengths[1])) < 2


def test_cutting_removes_from_both_ends_of_the_longer():  # authority: truncate_seq_pair, by hand
    rng, fronts = np.random.default_rng(2), []
    for _ in range(400):
        first, second = _cut(np.arange(30), np.arange(100, 105), 20, rng)
        assert (len(first), second.tolist()) == (15, list(range(100, 105)))
        fronts.append(first[0])
        assert (np.diff(first) == 1).all()
    assert abs(np.mean(fronts) - 7.5) < 4 * (15 / 4 / 400) ** 0.5
    assert [len(part) for part in _cut(np.arange(30), np.arange(28), 20, rng)] == [10, 10]


def test_documents_of_one_sentence_are_refused():
    with pytest.raises(DataError, match=r"f:5: this document has one sentence.*blank_line"):
        encoded(RECORDS[4:5])
    two = examples_of(RECORDS[:1])
    with pytest.raises(DataError, match=r"f:1: there is no other document.*data.valid"):
        list(drawn("next_sentence", 20, two))


def test_a_document_in_parts_is_one():
    lines = TEXTS[3].split("\n")
    halves = ["\n".join(part) for part in (lines[:11], lines[11:])]
    parts = [Record("f", 1, halves[:1]), Record("f", 12, halves[1:], continues=True)]
    whole, joined = examples_of(RECORDS[3:4]), examples_of(parts)
    assert len(whole) == len(joined) > 2
    for i in range(len(whole)):
        assert all(np.array_equal(a, b) for a, b in zip(whole[i], joined[i], strict=True))
