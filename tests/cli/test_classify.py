"""`pellucid classify`.  Authority: the Python verb, and counting lines by hand."""

import json
import random

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import pellucid as package
from cli.writers import CLASSES, write_bert, write_classifier
from pellucid.cli import classify

USAGE, DATA = 2, 3
TEXT = "The old dog sleeps.\n\nA cat\tTwo dogs\n \t \n这只动物\t\nWhy not?\n"
TEXTS = ["The old dog sleeps.", None, ("A cat", "Two dogs"), None, "这只动物", "Why not?"]


@pytest.fixture(scope="module", params=[False, True])
def directory(request, tmp_path_factory):
    return write_classifier(tmp_path_factory.mktemp("classifier"), seed=3, several=request.param)


@pytest.fixture(scope="module")
def results(directory):
    actual = iter(package.load(directory, device="cpu").classify([t for t in TEXTS if t]))
    return [next(actual) if text else None for text in TEXTS]


@pytest.mark.parametrize("size", [1, 2, 2000])
def test_a_line_for_each_line(pellucid, directory, results, monkeypatch, size):
    monkeypatch.setattr(classify, "CHUNK_LINES", size)
    lines = pellucid("classify", directory, stdin=TEXT.encode()).out.split("\n")
    expected = [f"{','.join(r.labels)}\t{r.probability:.4f}" if r else "" for r in results]
    assert lines == [*expected, ""]
    assert {label for r in results if r for label in r.labels} <= set(CLASSES)


def test_the_most_probable_labels(pellucid, directory, results):
    done = pellucid("classify", directory, "--top", "2", stdin=TEXT.encode())
    expected = [
        "\t".join(f"{label}\t{p:.4f}" for label, p in r.ranked[:2]) if r else "" for r in results
    ]
    assert done.out.split("\n") == [*expected, ""]
    assert pellucid("classify", directory, "--top", "-1").code == USAGE


def test_json_lines_have_every_label(pellucid, directory, results):
    done = pellucid("classify", directory, "--jsonl", stdin=TEXT.encode())
    records = [json.loads(line) for line in done.out.split("\n")[:-1]]
    assert [record["text"] for record in records] == TEXT.split("\n")[:-1]
    for record, result in zip(records, results, strict=True):
        assert record["labels"] == (list(result.labels) if result else [])
        expected = dict(result.ranked) if result else {}
        assert record["probabilities"] == pytest.approx(expected, abs=1e-5)


def test_a_faulty_line_costs_no_other(pellucid, directory):
    done = pellucid("classify", directory, stdin=b"The dog\na\tb\tc\nsleeps\n")
    assert (done.code, done.out.count("\n")) == (DATA, 1)
    assert "standard input:2: 2 tabs" in done.err
    done = pellucid("classify", directory, stdin=b"\tsecond\n")
    assert (done.code, done.out) == (DATA, "")
    assert "standard input:1: the text before the tab is empty" in done.err


def test_cut_lines_are_counted(pellucid, directory):
    done = pellucid("classify", directory, stdin=b"dog " * 300 + b"\ncat\n")
    assert done.code == 0
    assert "1 line was longer than this model reads; cut at the end" in done.err


def test_a_model_without_classes_is_refused_at_once(pellucid, writers):
    done = pellucid("classify", writers.filler, stdin=b"")
    assert (done.code, done.out) == (USAGE, "")
    assert "no head 'classifier'. Heads of this model: mlm" in done.err


NAMES = {"cat": "animal", "dog": "animal", "tree": "plant", "The": "none"}
SMALL = [
    *("--training.max-updates", "120", "--training.rate", "0.01", "--training.warmup", "10"),
    *("--training.patience", "0"),
]


@pytest.mark.parametrize("is_pair", [False, True])
def test_from_a_file_to_labels(is_pair, pellucid, tmp_path):
    """Authority: transformers on the saved directory; the label is that of the last word."""
    rng = random.Random(1)

    def write(name, n):
        rows = []
        for _ in range(n):
            words = rng.choices(list(NAMES), k=3)
            text = f"{' '.join(words[:2])}\t{words[2]}" if is_pair else " ".join(words)
            rows.append((text, NAMES[words[2]]))
        header = "sentence1\tsentence2\tlabel\n" if is_pair else ""
        lines = (f"{text}\t{label}\n" for text, label in rows)
        (tmp_path / name).write_text(header + "".join(lines))
        return tmp_path / name, rows

    start = write_bert(tmp_path / "bert", seed=0)
    (train, _), (valid, _), (test, rows) = (write(f"{n}.tsv", n) for n in (400, 40, 30))
    args = ["--task", "classification", "--start-from", start, *SMALL]
    data = ["--data.train", train, "--data.valid", valid, "--run-dir", tmp_path / "run"]
    done = pellucid("train", *args, *data)
    assert done.code == 0, done.err
    scores = pellucid("evaluate", tmp_path / "run", "--data", test).out
    texts = "".join(f"{text}\n" for text, _ in rows)
    lines = pellucid("classify", tmp_path / "run", stdin=texts.encode()).out.split("\n")[:-1]
    labels = [line.split("\t")[0] for line in lines]
    accuracy = sum(a == b for a, (_, b) in zip(labels, rows, strict=True)) / len(rows)
    assert accuracy > 0.9
    assert float(scores.split("accuracy ")[1].split()[0]) == pytest.approx(accuracy, abs=1e-3)

    peer = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "final").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run" / "final")
    for line, (text, _) in zip(lines, rows, strict=True):
        with torch.no_grad():
            logits = peer(**tokenizer(*text.split("\t"), return_tensors="pt")).logits[0]
        best = int(logits.argmax())
        assert line == f"{peer.config.id2label[best]}\t{float(logits.softmax(-1)[best]):.4f}"
