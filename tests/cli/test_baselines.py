"""Baselines by commands alone.  Authority: the labels, which depend on a word."""

import pytest

LINES = [f"{'good' if i % 3 else 'bad'} film number {i}" for i in range(60)]
FEW = ["--training.max-updates", "40", "--training.max-tokens", "400", "--training.warmup", "2"]


@pytest.mark.parametrize("size", ["bag-of-words", "text-cnn", "bilstm"])
def test_a_classifier_from_a_file(size, pellucid, tmp_path):
    data, run = tmp_path / "d.tsv", tmp_path / "run"
    data.write_text("".join(f"{line}\t{line.split()[0]}\n" for line in LINES))
    args = ["--task", "classification", "--size", size, *FEW, "--training.rate", "0.02"]
    done = pellucid("train", *args, "--data.train", data, "--data.valid", data, "--run-dir", run)
    assert done.code == 0, done.err
    found = pellucid("classify", run, stdin=b"bad film\n\ngood film\n").out.split("\n")
    assert [line.split("\t")[0] for line in found] == ["bad", "", "good", ""]
    assert "accuracy 1.0000" in pellucid("evaluate", run, "--data", data).out
    info = pellucid("info", run)
    assert info.code == 0
    assert f"family{'':27}{size.replace('-', '_')}" in info.out
    assert pellucid("info", size.replace("-", "_")).code == 0


@pytest.mark.parametrize(("size", "head"), [("bilstm", "crf"), ("hmm", "linear")])
def test_a_tagger_from_a_file(size, head, pellucid, tmp_path):
    data, run = tmp_path / "d.conll", tmp_path / "run"
    data.write_text("".join(f"Ada B-PER\nsaw O\n{i} O\n\n" for i in range(60)))
    args = ["--task", "tagging", "--size", size, "--objective.head", head, *FEW]
    done = pellucid("train", *args, "--data.train", data, "--data.valid", data, "--run-dir", run)
    assert done.code == 0, done.err
    assert pellucid("tag", run, stdin=b"Ada saw 3\n").out == "B-PER O O\n"
    assert "f1 1.0000" in pellucid("evaluate", run, "--data", data).out
    assert pellucid("info", run).code == 0


def test_long_texts_of_a_test_set_are_read_whole(pellucid, tmp_path):
    """Longer than any of training. Authority: the labels, which depend on the last word."""
    data, longer, run = tmp_path / "a.tsv", tmp_path / "b.tsv", tmp_path / "run"
    data.write_text("a good\t1\na bad\t0\n" * 30)
    longer.write_text("a a a a a a a a a good\t1\na a a a a a a a a bad\t0\n")
    args = ["--task", "classification", "--size", "bilstm", *FEW, "--training.rate", "0.02"]
    args += ["--data.train", data, "--data.valid", data, "--run-dir", run]
    assert pellucid("train", *args).code == 0
    done = pellucid("evaluate", run, "--data", longer)
    assert "accuracy 1.0000" in done.out
    assert "cut" not in done.err


def test_sizes_belong_to_tasks(pellucid, tmp_path):
    data = tmp_path / "d.tsv"
    data.write_text("".join(f"{line}\t1\n" for line in LINES))
    args = ["--task", "classification", "--data.train", data]
    done = pellucid("train", *args, "--size", "hmm")
    assert done.code == 4
    assert "size='hmm' is not a size for classification" in done.err
    done = pellucid("train", *args, "--size", "text-cnn", "--model.n-heads", "2")
    assert done.code == 2
    assert "unrecognized argument --model.n-heads" in done.err
    done = pellucid("info", "text_cnn", "--diff", "bert")
    assert done.code == 2
