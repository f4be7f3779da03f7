"""`pellucid tag`.  Authority: the Python verb, and counting words by hand."""

import json

import pytest

import pellucid as package
from cli.writers import TAGS, write_tagger
from pellucid.cli import tag
from pellucid.errors import UsageError
from pellucid.text import guard

USAGE, DATA = 2, 3
TEXT = "The old dog sleeps .\n\n  Why \t not ?  \n \n这只动物 überquerte \u00a0x\n"
WORDS = [
    ["The", "old", "dog", "sleeps", "."],
    [],
    ["Why", "not", "?"],
    [],
    ["这只动物", "überquerte", "\u00a0x"],
]


@pytest.fixture(scope="module")
def model(writers):
    return package.load(writers.tagger, device="cpu")


@pytest.mark.parametrize("size", [1, 2, 2000])
def test_as_many_tags_as_words(pellucid, writers, model, monkeypatch, size):
    monkeypatch.setattr(tag, "CHUNK_LINES", size)
    lines = pellucid("tag", writers.tagger, stdin=TEXT.encode()).out.split("\n")
    assert lines == [*(" ".join(each.tags) for each in model.tag(WORDS)), ""]
    assert [len(line.split()) for line in lines[:-1]] == [5, 0, 3, 0, 3]
    assert {word for line in lines for word in line.split()} <= set(TAGS)


def test_tags_with_spaces_are_one_word_each(pellucid, tmp_path):
    config = write_tagger(tmp_path, seed=0) / "config.json"
    names = dict(zip("012", ("O X", "B\nPER", " "), strict=True))
    config.write_text(json.dumps({**json.loads(config.read_text()), "id2label": names}))
    done = pellucid("tag", tmp_path, stdin=TEXT.encode())
    assert done.code == 0, done.err
    assert [len(line.split()) for line in done.out.split("\n")] == [5, 0, 3, 0, 3, 0]
    assert set(done.out.split()) <= {"O_X", "B_PER", "_"}


def test_json_lines_have_words_and_probabilities(pellucid, writers, model):
    done = pellucid("tag", writers.tagger, "--jsonl", stdin=TEXT.encode())
    records = [json.loads(line) for line in done.out.split("\n")[:-1]]
    assert [record["words"] for record in records] == WORDS
    for record, (tags, probabilities) in zip(records, model.tag(WORDS), strict=True):
        assert record["tags"] == list(tags)
        assert record["probabilities"] == pytest.approx(probabilities, abs=1e-5)


def test_a_line_that_is_no_text_costs_no_other(pellucid, writers):
    done = pellucid("tag", writers.tagger, stdin=b"The dog\nthe cat\n\xff\nsleeps\n")
    assert (done.code, done.out.count("\n")) == (DATA, 2)
    assert "standard input:3" in done.err


def test_a_word_too_long_is_named_by_its_line(pellucid, writers, monkeypatch):
    monkeypatch.setattr(guard, "MAX_CHARACTERS", 50)
    done = pellucid("tag", writers.tagger, stdin=b"The dog\n\n" + b"x" * 60 + b"\nsleeps\n")
    assert (done.code, done.out.count("\n")) == (DATA, 2)
    assert "standard input:3: a text has 60 characters" in done.err


def test_a_model_without_tags_is_refused_at_once(pellucid, writers):
    done = pellucid("tag", writers.filler, stdin=b"")
    assert (done.code, done.out) == (USAGE, "")
    assert "mlm" in done.err


def test_sentences_are_words_or_strings(model):
    (expected,) = model.tag([["The", "old", "dog"]])
    for tagged in model.tag(["The old dog", ("The", "old", "dog")]):
        assert tagged.tags == expected.tags
    assert model.tag([]) == []
    with pytest.raises(UsageError, match="takes a list of texts"):
        model.tag("The old dog")
    with pytest.raises(UsageError, match="neither a string nor a list of words"):
        model.tag([None])
    with pytest.raises(UsageError, match="and no text"):
        model.tag([["The", 3]])
