"""Scores of tagged words.  Authority: seqeval's default mode, and its own examples."""

import warnings

import pytest
import seqeval.metrics
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

from pellucid.errors import DataError
from pellucid.metrics.tagging import (
    EntityCounts,
    are_entity_tags,
    entities,
    score_counts,
    words_as_entities,
)

GOLD = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
GUESS = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]

# Types with a hyphen, and letters without a type, are legal too; order is any: I without B.
TYPES = ("", "-PER", "-LOC", "-X-Y")
TAGS = st.sampled_from(["O", *(letter + kind for letter in "BIES" for kind in TYPES)])
SENTENCES = st.lists(
    st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12), min_size=1, max_size=5
)


def count(predicted, gold, find=entities):
    counts = EntityCounts(find)
    counts.add(predicted, gold)
    return counts


def micro(counts):
    return list(score_counts(counts.rows().sum(0)).values())


@given(SENTENCES)
def test_equal_to_seqeval(sentences):
    predicted = [[p for p, _ in sentence] for sentence in sentences]
    gold = [[g for _, g in sentence] for sentence in sentences]
    actual, types = count(predicted, gold), count([], [])
    for pair in zip(predicted, gold, strict=True):  # one by one, or all at once
        types.add(*([side] for side in pair))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of ratios over nothing
        whole = precision_recall_fscore_support(gold, predicted, average="micro")
        each = precision_recall_fscore_support(gold, predicted, average=None)
    accuracy = seqeval.metrics.accuracy_score(gold, predicted)
    assert micro(actual) == pytest.approx([accuracy, *whole[:3]], abs=1e-12)
    names = {entity[0] for entity in get_entities(gold) + get_entities(predicted)}
    assert list(actual.by_type()) == sorted(names)
    rows = list(zip(*each, strict=True))
    for score, row in zip(actual.by_type().values(), rows[: len(names)], strict=True):
        assert score == pytest.approx(row, abs=1e-12)
    assert types.by_type() == actual.by_type()
    assert (types.rows() == actual.rows()).all()


@given(st.lists(TAGS, max_size=20))
def test_entities_are_those_of_seqeval(tags):
    reference = [(kind, first, last + 1) for kind, first, last in get_entities(list(tags))]
    assert [tuple(entity) for entity in entities(tags)] == reference


def test_the_example_of_its_manual():
    actual = count(GUESS, GOLD)
    assert micro(actual) == [0.8, 0.5, 0.5, 0.5]
    assert actual.by_type() == {"MISC": (0.0, 0.0, 0.0, 1), "PER": (1.0, 1.0, 1.0, 1)}


def test_without_entities_every_ratio_is_zero():  # authority: seqeval's zero_division
    assert micro(count([["O"]], [["O"]])) == [1.0, 0.0, 0.0, 0.0]
    assert micro(count([], [])) == [0.0] * 4
    assert count([], []).by_type() == {}


@given(st.lists(st.tuples(st.sampled_from("NVX"), st.sampled_from("NVX")), min_size=1))
def test_parts_of_speech(pairs):  # authority: scikit-learn
    predicted, gold = (list(side) for side in zip(*pairs, strict=True))
    actual = count([predicted], [gold], words_as_entities)
    assert micro(actual) == pytest.approx([sklearn.metrics.accuracy_score(gold, predicted)] * 4)
    labels = sorted({*predicted, *gold})
    each = sklearn.metrics.precision_recall_fscore_support(
        gold, predicted, labels=labels, zero_division=0
    )
    assert list(actual.by_type()) == labels
    assert list(actual.by_type().values()) == [
        pytest.approx(row, abs=1e-12) for row in zip(*each, strict=True)
    ]


@pytest.mark.parametrize("tag", ["NOUN", "PER", "X-PER", "B-", "O-PER", "", "b-PER", "BPER"])
def test_other_tags_are_refused_by_name(tag):
    assert not are_entity_tags(["O", tag])
    with pytest.raises(DataError, match=f"'{tag}' is no entity tag"):
        entities(["O", tag])


def test_tags_of_entities():
    assert are_entity_tags(["O", "B-PER", "I-PER", "S-X-Y", "E", "B-my type"])


def test_lost_lines_and_words_are_refused():
    with pytest.raises(DataError, match="1 predicted sentences but 2 gold ones"):
        count(GUESS[:1], GOLD)
    with pytest.raises(DataError, match="sentence 2 has 2 predicted tags but 3 gold ones"):
        count([GUESS[0], GUESS[1][:2]], GOLD)
