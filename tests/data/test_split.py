"""Holding out. Authority: the definition, checked record by record."""

import random

import pytest

from pellucid.config.columns import Column
from pellucid.data.records import Record
from pellucid.data.split import HoldOut, Split, n_held_out
from pellucid.errors import DataError

COLUMNS = (Column("source", "text"), Column("target", "text"))
WORDS = (Column("words", "words"), Column("tags", "tags"))
RECORDS = [Record("f", i + 1, (f"Source {i % 700}.", f"Target {i % 900}.")) for i in range(2000)]


def hold_out(records, columns, n):
    choice = HoldOut(columns, n)
    for record in records:
        choice.add(record)
    return choice.split(n)


def texts(records, column):
    return {record.values[column] for record in records}


def test_training_shares_no_text_with_the_held_out():
    split = hold_out(RECORDS, COLUMNS, 50)
    assert len(split.records) == len(texts(split.records, 0)) == 50
    assert set(split.records) <= set(RECORDS)
    left = list(split.training(RECORDS))
    for column in (0, 1):
        assert not texts(split.records, column) & texts(left, column)
    # Only records that share a text are missing, and the others keep their order.
    shared = [texts(split.records, column) for column in (0, 1)]
    assert left == [
        r for r in RECORDS if r.values[0] not in shared[0] and r.values[1] not in shared[1]
    ]


def test_an_absent_text_holds_out_no_other_record():
    columns = (COLUMNS[0], Column("second", "text", optional=True))
    records = [Record("f", i, (f"text {i}", None)) for i in range(40)]
    split = hold_out(records, columns, 2)
    assert len(list(split.training(records))) == 38


def test_case_and_spacing_do_not_hide_a_text():
    split = hold_out(RECORDS, COLUMNS, 50)
    source, target = split.records[0].values
    others = [
        Record("f", 1, (f"  {source.upper()} ", "other")),
        Record("f", 2, ("other", target.replace(" ", "\u3000"))),
        Record("f", 3, ("other", "else")),
        Record("f", 4, (target, source)),  # the same texts, each in the other column
    ]
    assert [record.line for record in split.training(others)] == [3, 4]


def test_words_are_a_text_and_tags_are_not():
    records = [Record("f", i, (("word", str(i)), ("O", "O"))) for i in range(1, 41)]
    split = hold_out(records, WORDS, 2)
    left = list(split.training(records))
    assert len(left) == 38
    assert not texts(split.records, 0) & texts(left, 0)


def test_the_choice_does_not_depend_on_order():
    shuffled = random.Random(0).sample(RECORDS, len(RECORDS))
    chosen = texts(hold_out(RECORDS, COLUMNS, 50).records, 0)
    assert texts(hold_out(shuffled, COLUMNS, 50).records, 0) == chosen


def test_chosen_evenly():
    """Authority: chance. 350 of 700 sources, by halves of the file: 175 expected, sigma 9.4."""
    first = texts(RECORDS[:350], 0)
    count = len(texts(hold_out(RECORDS, COLUMNS, 350).records, 0) & first)
    assert abs(count - 175) < 47


def test_fewer_are_held_out_where_few_texts_differ():
    """One in 20 of them, at least one; brute force over all numbers of texts."""
    for n_texts in range(2, 60):
        records = [Record("f", i, (f"s {i % n_texts}", f"t {i}")) for i in range(2000)]
        held = hold_out(records, COLUMNS, 30).records
        assert len(held) == max(1, n_texts // 20)
    records = [Record("f", i, (source, "x")) for i, source in enumerate(["a", "A "])]
    with pytest.raises(DataError, match=r"only 1 different text in column source.*--data\.valid"):
        hold_out(records, COLUMNS, 1)
    assert [n_held_out(n) for n in (1, 39, 40, 10**6)] == [1, 1, 2, 1000]


def test_the_choice_does_not_depend_on_how_many_may_be_asked():
    choice = HoldOut(COLUMNS)
    for record in RECORDS:
        choice.add(record)
    assert choice.split(50) == hold_out(RECORDS, COLUMNS, 50)


def test_all_questions_about_a_text_are_held_out():
    columns = (Column("question", "text"), Column("context", "text"), Column("answers", "span"))
    records = [Record("f", i, (f"q{i}", f"Context {i % 100}", ())) for i in range(400)]
    split = hold_out(records, columns, 10)
    assert len(split.records) == 12  # of three contexts with four questions each
    left = list(split.training(records))
    assert len(left) == 388
    assert not texts(split.records, 1) & texts(left, 1)
    assert set(split.records) == {r for r in records if r.values[1] in texts(split.records, 1)}
    few = hold_out(records[:4] * 2 + records[1:4], columns, 10)
    assert len(few.records) in (2, 3)  # one context, all of its questions


def test_parts_of_long_documents_do_not_follow_another_text():
    """Authority: by hand; what precedes each part is held out, or of another document."""

    def part(text, continues):
        return Record("f", 1, (text,), continues)

    records = [part("a", False), part("b", True), part("c", True), part("d", True)]
    records += [part("e", False), part("f", True)]
    split = Split((), (0,), frozenset({(0, "b"), (0, "e")}))
    trained = [(r.values[0], r.continues) for r in split.training(records)]
    assert trained == [("a", False), ("c", False), ("d", True), ("f", False)]
    chooser = HoldOut((Column("text", "document"),))
    for record in records:
        chooser.add(record)
    held = chooser.split(3).records
    assert not any(record.continues for record in held)
