"""`pellucid similarity`.  Authority: the Python verb, and counting lines by hand."""

import json
import random

import pytest
from scipy.stats import spearmanr

import pellucid as package
from cli.writers import write_bert, write_classifier
from pellucid.cli import similarity

USAGE, DATA = 2, 3
TEXT = "The old dog\tA cat\n\nWhy\tWhy\n \t \n这只动物\tüberquerte\n"
PAIRS = [("The old dog", "A cat"), None, ("Why", "Why"), None, ("这只动物", "überquerte")]


@pytest.mark.parametrize("size", [1, 2, 2000])
def test_a_number_for_each_line(pellucid, writers, monkeypatch, size):
    monkeypatch.setattr(similarity, "CHUNK_LINES", size)
    actual = iter(package.load(writers.filler, device="cpu").similarity([p for p in PAIRS if p]))
    numbers = [next(actual) if pair else None for pair in PAIRS]
    lines = pellucid("similarity", writers.filler, stdin=TEXT.encode()).out.split("\n")
    assert lines == [*("" if n is None else f"{n:.4f}" for n in numbers), ""]
    assert lines[2] == "1.0000"
    done = pellucid("similarity", writers.filler, "--jsonl", stdin=TEXT.encode())
    records = [json.loads(line) for line in done.out.split("\n")[:-1]]
    assert [record["texts"] for record in records] == [list(pair or ("", "")) for pair in PAIRS]
    for record, number in zip(records, numbers, strict=True):
        assert record["similarity"] == (None if number is None else pytest.approx(number, abs=1e-5))


def test_faulty_and_long_lines(pellucid, writers):
    done = pellucid("similarity", writers.filler, stdin=b"a\tb\nalone\na\tb\n")
    assert (done.code, done.out.count("\n")) == (DATA, 1)
    assert "standard input:2: one text" in done.err
    done = pellucid("similarity", writers.filler, stdin=b"dog " * 300 + b"\tcat\n")
    assert "1 line was longer than this model reads" in done.err


def test_a_classifier_is_refused_at_once(pellucid, tmp_path):
    done = pellucid("similarity", write_classifier(tmp_path, seed=1), stdin=b"")
    assert (done.code, done.out) == (USAGE, "")
    assert "classifies texts into 3 labels. Use classify" in done.err


@pytest.mark.parametrize("head", ["cosine", "regression"])
def test_from_a_file_to_numbers(head, pellucid, tmp_path):
    """Authority: scipy; a small model can learn the scores, which count words."""
    rng = random.Random(1)
    words = ["cat", "dog", "tree", "The", "sleeps"]

    def write(name, n):
        rows = []
        for _ in range(n):
            first, second = (rng.choices(words, k=3) for _ in range(2))
            equal = len(set(first) & set(second))
            score = equal if head == "cosine" else (first + second).count("dog")
            rows.append((" ".join(first), " ".join(second), score))
        (tmp_path / name).write_text("".join(f"{a}\t{b}\t{s}\n" for a, b, s in rows))
        return tmp_path / name, rows

    start = write_bert(tmp_path / "bert", seed=0)
    (train, _), (valid, _), (test, rows) = (write(f"{n}.tsv", n) for n in (300, 40, 60))
    args = ["--task", "similarity", "--objective.head", head, "--start-from", start]
    args += ["--training.max-updates", "100", "--training.rate", "0.01"]
    data = ["--data.train", train, "--data.valid", valid, "--run-dir", tmp_path / "run"]
    done = pellucid("train", *args, *data)
    assert done.code == 0, done.err
    scores = pellucid("evaluate", tmp_path / "run", "--data", test).out
    lines = pellucid(
        "similarity", tmp_path / "run", stdin="".join(f"{a}\t{b}\n" for a, b, _ in rows).encode()
    )
    numbers = [float(line) for line in lines.out.split("\n")[:-1]]
    expected = spearmanr(numbers, [score for *_, score in rows])[0]
    assert expected > 0.5
    assert float(scores.split("spearman ")[1].split()[0]) == pytest.approx(expected, abs=5e-3)
