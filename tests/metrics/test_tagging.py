"""Scores of tagged words.  Authority: seqeval's default mode, and its own examples."""

import warnings

import pytest
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

from pellucid.errors import DataError
from pellucid.metrics.tagging import are_entity_tags, entities, entity_scores, token_accuracy

GOLD = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
GUESS = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]

# Types with a hyphen, and letters without a type, are legal too; order is any: I without B.
TYPES = ("", "-PER", "-LOC", "-X-Y")
TAGS = st.sampled_from(["O", *(letter + kind for letter in "BIES" for kind in TYPES)])
SENTENCES = st.lists(
    st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12), min_size=1, max_size=5
)


@given(SENTENCES)
def test_equal_to_seqeval(sentences):
    predicted = [[p for p, _ in sentence] for sentence in sentences]
    gold = [[g for _, g in sentence] for sentence in sentences]
    actual = entity_scores(predicted, gold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of ratios over nothing
        micro = precision_recall_fscore_support(gold, predicted, average="micro")
        each = precision_recall_fscore_support(gold, predicted, average=None)
    assert actual.micro == pytest.approx(micro, abs=1e-12)
    types = {entity[0] for entity in get_entities(gold) + get_entities(predicted)}
    assert list(actual.by_type) == sorted(types)
    rows = list(zip(*each, strict=True))
    for score, row in zip(actual.by_type.values(), rows[: len(types)], strict=True):
        assert score == pytest.approx(row, abs=1e-12)
    assert token_accuracy(predicted, gold) == seqeval.metrics.accuracy_score(gold, predicted)


@given(st.lists(TAGS, max_size=20))
def test_entities_are_those_of_seqeval(tags):
    reference = [(kind, first, last + 1) for kind, first, last in get_entities(list(tags))]
    assert [tuple(entity) for entity in entities(tags)] == reference


def test_the_example_of_its_manual():
    actual = entity_scores(GUESS, GOLD)
    assert actual.micro == (0.5, 0.5, 0.5, 2)
    assert actual.by_type == {"MISC": (0.0, 0.0, 0.0, 1), "PER": (1.0, 1.0, 1.0, 1)}
    assert token_accuracy(GUESS, GOLD) == 0.8


def test_without_entities_every_ratio_is_zero():  # authority: seqeval's zero_division
    assert entity_scores([["O"]], [["O"]]).micro == (0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize("tag", ["NOUN", "PER", "X-PER", "B-", "O-PER", "", "b-PER", "BPER"])
def test_other_tags_are_refused_by_name(tag):
    assert not are_entity_tags(["O", tag])
    with pytest.raises(DataError, match=f"'{tag}' is no entity tag"):
        entities(["O", tag])


def test_tags_of_entities():
    assert are_entity_tags(["O", "B-PER", "I-PER", "S-X-Y", "E", "B-my type"])


@pytest.mark.parametrize("score", [token_accuracy, entity_scores])
def test_lost_lines_and_words_are_refused(score):
    with pytest.raises(DataError, match="1 predicted sentences but 2 gold ones"):
        score(GUESS[:1], GOLD)
    with pytest.raises(DataError, match="sentence 2 has 2 predicted tags but 3 gold ones"):
        score([GUESS[0], GUESS[1][:2]], GOLD)


def test_no_words_have_no_accuracy():
    with pytest.raises(DataError, match="the test set is empty"):
        token_accuracy([[]], [[]])
