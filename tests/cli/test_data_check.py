"""`pellucid data check` for every task. Authority: small files, by hand."""

import json

import pytest

from pellucid.cli.data_check import Options, run
from pellucid.cli.parse import parse
from pellucid.config.tasks.catalog import TASK_CONFIGS
from pellucid.errors import DataError, UsageError

TEXTS = ("a.txt", "one text\nanother\n")
FILES = {
    "translation": ("a.tsv", "a\tx\nb\ty\n"),
    "classification": ("a.tsv", "a film\tgood\na book\tbad\n"),
    "similarity": ("a.tsv", "a\tb\t1\nc\td\t2.5\n"),
    "tagging": ("a.conll", "one\tX\n\ntwo\tO\n"),
    "question_answering": ("a.tsv", "who?\tthe dog\tdog\nwhere?\ta house\thouse\n"),
    "summarization": ("a.tsv", "a dog sleeps\tdog\na cat sleeps\tcat\n"),
}
"""A sound file of each task; all others read documents."""


def check(*args):
    options = parse(Options, [str(arg) for arg in args], "data check")
    assert options is not None
    return run(options)


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_sound_data_of_each_task(task, tmp_path, capsys):
    name, text = FILES.get(task, TEXTS)
    (tmp_path / name).write_text(text)
    assert check(tmp_path / name, "--task", task) == 0
    noun = "pairs" if task in ("translation", "summarization") else "examples"
    assert capsys.readouterr().out.split("\n")[-2] == f"2 {noun}"


def test_columns_and_documents_are_chosen(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("id,post\n1,a\n2,b\n")
    with pytest.raises(DataError, match="2 or more errors"):
        check(tmp_path / "a.csv", "--task", "masked_lm")
    assert "The fields are: id, post. Choose one with data.columns" in capsys.readouterr().out
    assert check(tmp_path / "a.csv", "--task", "masked_lm", "--columns", "text=post") == 0
    assert "text: column 2 ('post')" in capsys.readouterr().out
    (tmp_path / "a.txt").write_text("a\nb\n\nc\n")
    assert check(tmp_path, "--task", "masked_lm", "--columns", "text=2") == 0
    assert "5 examples" in capsys.readouterr().out
    files = (tmp_path / "a.txt", "--task", "masked_lm", "--documents", "blank_line")
    assert check(*files) == 0
    assert "2 examples" in capsys.readouterr().out


def test_any_number_of_labels(tmp_path, capsys):  # authority: the rules of training
    rows = [{"text": f"text {i}", "labels": ["a", "b"][: i % 3]} for i in range(30)]
    file = tmp_path / "d.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert check(file, "--task", "classification", "--multi-label") == 0
    assert "30 examples" in capsys.readouterr().out
    with pytest.raises(DataError):
        check(file, "--task", "classification")
    assert "a list, but a text has one label. For several, set" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--multi-label is for --task classification"):
        check(file, "--task", "masked_lm", "--multi-label")


def test_languages_are_for_denoising(tmp_path, capsys):  # authority: the rules of training
    (tmp_path / "news.en").write_text("one text\nanother\n")
    assert check(tmp_path / "news.en", "--task", "denoising", "--languages", "en") == 0
    assert "2 examples" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--languages is for --task denoising"):
        check(tmp_path / "news.en", "--task", "masked_lm", "--languages", "en")
