"""What is trained on, and what is held out."""

import itertools
import os
import random
from collections import Counter

import pytest

from pellucid.config.data import DataConfig
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.data.check import check
from pellucid.errors import DataError
from pellucid.training.corpus import Corpus


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def translation(**data):
    return DataConfig(**data), TASK_CONFIGS["translation"]()


@pytest.fixture
def files(tmp_path):
    source = write(tmp_path / "a.en", [f"source {i % 150}" for i in range(200)])
    target = write(tmp_path / "a.de", [f"Ziel {i}" for i in range(200)])
    return source, target


def test_no_held_out_text_is_trained_on(files):  # authority: set arithmetic
    corpus = Corpus(*translation(train=files))
    left = list(corpus.train())
    assert len(corpus.valid) == 10
    for column in (0, 1):
        held = {record.values[column] for record in corpus.valid}
        assert not held & {record.values[column] for record in left}
    assert corpus.n_read == 200
    assert corpus.split == "10 held out"
    assert list(corpus.texts()) == [record.values for record in left]


def test_named_validation_files_leave_training_whole(files, tmp_path):
    valid = write(tmp_path / "v.en", ["one", "", "two"]), write(tmp_path / "v.de", ["1", "", "2"])
    corpus = Corpus(*translation(train=files, valid=valid))
    assert [record.values for record in corpus.valid] == [("one", "1"), ("two", "2")]
    assert len(list(corpus.train())) == 200
    assert corpus.split == ""


def test_the_garden_holds_out_its_own_sentences():  # authority: the garden's split
    corpus = Corpus(*translation(train=("garden",), source_language="en", target_language="zh"))
    assert len(corpus.valid) == 1000
    held = {record.values for record in corpus.valid}
    assert not held & {record.values for record in corpus.train()}


@pytest.mark.timeout(60)  # reading a pipe twice would block
@pytest.mark.parametrize("name", ["train", "valid"])
def test_what_can_be_read_once_only_is_refused_before_it_is_read(files, tmp_path, name):
    pipe = str(tmp_path / "pipe.de")
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    os.write(held, b"Ziel\n" * 200)
    with pytest.raises(DataError, match=r"pipe\.de is a stream that can be read once only"):
        Corpus(*translation(**{"train": files, name: (files[0], pipe)}))
    assert os.read(held, 1000) == b"Ziel\n" * 200
    os.close(held)
    with pytest.raises(DataError, match="- is a stream"):
        Corpus(*translation(**{"train": files, name: ("-",)}))


@pytest.mark.parametrize("name", ["train", "valid"])
def test_a_folder_is_no_stream(files, tmp_path, name):
    with pytest.raises(DataError, match="no file with a known ending"):
        Corpus(*translation(**{"train": files, name: (files[0], str(tmp_path))}))


@pytest.mark.parametrize("name", ["train", "valid"])
def test_empty_files_are_refused(files, tmp_path, name):
    empty = write(tmp_path / "e.en", []), write(tmp_path / "e.de", [])
    with pytest.raises(DataError, match="no example in it"):
        Corpus(*translation(**{"train": files, name: empty}))


def test_labels_of_training_and_validation_are_known(tmp_path):  # authority: the file, by hand
    train = write(tmp_path / "t.conll", ["Ada B-PER", "left O", "", "Rome B-LOC", "rose O", ""])
    valid = write(tmp_path / "v.conll", ["Mars B-ORB", "rose O"])
    data = DataConfig(train=(train,), valid=(valid,))
    corpus = Corpus(data, TASK_CONFIGS["tagging"]())
    assert corpus.labels == {"tags": ("B-LOC", "B-ORB", "B-PER", "O")}
    assert [record.values for record in corpus.valid] == [(("Mars", "rose"), ("B-ORB", "O"))]
    assert list(corpus.texts()) == [("Ada left",), ("Rome rose",)]


def test_labels_and_duplicates_are_counted_in_what_is_trained_on(tmp_path):
    """Authority: brute force over the records."""
    rng = random.Random(0)
    words = [f"w{rng.randrange(400)}" for _ in range(600)]
    lines = [line for w in words for line in (f"{w} {rng.choice('AAB')}", "")]
    train = write(tmp_path / "t.conll", lines)
    corpus = Corpus(DataConfig(train=(train,)), TASK_CONFIGS["tagging"]())
    left = list(corpus.train())
    held = {record.values[0] for record in corpus.valid}
    assert corpus.training.records == len(left) == sum((w,) not in held for w in words)
    assert corpus.n_removed == sum((w,) in held for w in words) - len(held) > 0
    assert corpus.training.labels == {"tags": Counter(r.values[1][0] for r in left)}
    assert corpus.training.duplicates == 0
    valid = write(tmp_path / "v.conll", ["W1 A", "", "w2 B", "", "new C"])
    corpus = Corpus(DataConfig(train=(train,), valid=(valid,)), TASK_CONFIGS["tagging"]())
    assert corpus.training.duplicates == words.count("w1") + words.count("w2") > 0
    assert corpus.training.labels["tags"].total() == 600
    assert corpus.labels == {"tags": ("A", "B", "C")}


def test_numbers_take_names(tmp_path):
    train = write(tmp_path / "t.conll", ["Ada 2", "left 0", "", "Rome 1", "rose O"])
    data = DataConfig(train=(train,), labels=("O", "LOC", "PER"))
    corpus = Corpus(data, TASK_CONFIGS["tagging"]())
    tags = {record.values[1] for record in (*corpus.train(), *corpus.valid)}
    assert tags == {("PER", "O"), ("LOC", "O")}
    assert corpus.labels == {"tags": ("O", "LOC", "PER")}
    data = DataConfig(train=(train,), labels=("O", "LOC"))
    with pytest.raises(DataError, match=r"t\.conll:1.*'2' is none of the 2 labels.*O, LOC.*from 0"):
        Corpus(data, TASK_CONFIGS["tagging"]())


def test_a_long_document_counts_as_several_examples(tmp_path):  # authority: its length
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("word " * 1000)
    other.write_text("short")
    data = DataConfig(train=(str(one), str(other)), documents="file")
    corpus = Corpus(data, TASK_CONFIGS["masked_lm"]())
    assert corpus.training.records == 1  # the other one is held out
    assert corpus.training.examples in (1, 5000 // 128)


def test_check_refuses_what_training_refuses(tmp_path):
    """Brute force: all small sets of pairs of few different texts, by both."""
    pairs = [(s, t) for s in "ab" for t in "xy"]
    for n in range(1, 4):
        for chosen in itertools.product(pairs, repeat=n):
            files = (
                write(tmp_path / "a.en", [source for source, _ in chosen]),
                write(tmp_path / "a.de", [target for _, target in chosen]),
            )
            report = check(files, DataConfig())
            fatal = [fault.what for fault in report.faults if fault.fatal]
            try:
                Corpus(*translation(train=files))
                refused = ""
            except DataError as error:
                refused = str(error)
            assert len(fatal) == bool(refused), chosen
            assert refused.endswith(tuple(fatal) or "")


def test_answers_elsewhere_are_counted(tmp_path):  # authority: by hand
    lines = ["question,context,answer,answer_start"]
    lines += [f"q{i},a cat and a cat,cat,{start}" for i, start in enumerate((2, 3, 12, 99, ""))]
    config = DataConfig(train=(write(tmp_path / "a.csv", lines),), valid=(str(tmp_path / "a.csv"),))
    corpus = Corpus(config, TASK_CONFIGS["question_answering"]())
    assert (corpus.training.records, corpus.training.moved) == (5, 2)


def test_labels_that_no_training_example_has(tmp_path):  # authority: the files, by hand
    train = write(tmp_path / "a.tsv", ["text\tlabel", "a film\tpos", "a book\tneg", "a play\tpos"])
    valid = write(tmp_path / "v.tsv", ["text\tlabel", "1\tpos", "2\tmixed", "3\tnone", "4\tmixed"])
    config = DataConfig(train=(train,), valid=(valid,))
    corpus = Corpus(config, TASK_CONFIGS["classification"]())
    assert corpus.unlearned == {"mixed": f"{valid}:3", "none": f"{valid}:4"}
    assert corpus.labels["label"] == ("mixed", "neg", "none", "pos")
    counts = {"pos": 2, "neg": 1, "mixed": 0, "none": 0}
    assert dict(corpus.training.labels["label"]) == counts
