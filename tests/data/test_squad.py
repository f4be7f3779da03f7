"""SQuAD. Authority: the format by hand; counts of questions in shared/data/README.md."""

import gzip
import json

import pytest

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.data.records import read_records, scan_records
from pellucid.data.values import Span
from pellucid.errors import DataError

COLUMNS = (
    Column("question", "text"),
    Column("context", "text"),
    Column("answers", "span", optional=True),
)
CONFIG = DataConfig()
CONTEXT = "The cat sat. The cat ran."


def squad(*answers):
    qas = [{"id": str(i), "question": f"q{i}", "answers": a} for i, a in enumerate(answers)]
    paragraphs = [{"context": CONTEXT, "qas": qas}]
    return json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]})


def answer(start, text):
    return {"answer_start": start, "text": text}


@pytest.mark.parametrize("end", ["", ".gz"])
def test_questions(end, tmp_path):
    text = squad([answer(4, "cat")], [answer(17, "cat"), answer(0, "The")], [])
    path = tmp_path / f"a.json{end}"
    path.write_bytes(gzip.compress(text.encode()) if end else text.encode())
    assert [tuple(record)[1:3] for record in read_records([str(path)], COLUMNS, CONFIG)] == [
        (1, ("q0", CONTEXT, (Span(4, "cat"),))),
        (2, ("q1", CONTEXT, (Span(17, "cat"), Span(0, "The")))),
        (3, ("q2", CONTEXT, None)),
    ]


@pytest.mark.parametrize(
    ("start", "text", "place"),  # the nearest place, by hand
    [(5, "cat", 4), (12, "cat", 17), (99, "cat", 17), (-3, "The", 0), (4, "dog", -1), (4, "", -1)],
)
def test_an_answer_that_is_elsewhere_is_searched_for(start, text, place, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(squad([answer(start, text)]))
    (record,) = read_records([str(path)], COLUMNS, CONFIG)
    assert record.values[2] == (Span(place, text),)


def test_other_layouts(tmp_path):
    """As data sets on the Hugging Face hub have it: one question a line, answers as two lists."""
    path = tmp_path / "a.jsonl"
    answers = {"text": ["cat", "The"], "answer_start": [4, 13]}
    path.write_text(json.dumps({"question": "q", "context": CONTEXT, "answers": answers}))
    (record,) = read_records([str(path)], COLUMNS, CONFIG)
    assert record.values == ("q", CONTEXT, (Span(4, "cat"), Span(13, "The")))


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("{", ":1:2", "not JSON"),
        ('{"data":\n [1, }', ":2:6", "not JSON"),
        ('{"version": 1}', "", "no question"),
        ('[{"text": "a"}]', "", "no question"),
        (squad([{"text": "cat"}]), ":1", "an answer needs"),
        (squad([answer("4", "cat")]), ":1", "an answer needs"),
        (squad("cat"), ":1", "not a list of answers"),
        (squad([answer(4, "cat")]).replace('"q0"', "7"), ":1", "7 is not a text"),
    ],
)
def test_faults(text, place, word, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=word) as caught:
        list(read_records([str(path)], COLUMNS, CONFIG))
    assert str(caught.value).startswith(f"{path}{place}: ")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"absent\.json: cannot be read: No such file"):
        list(read_records([str(tmp_path / "absent.json")], COLUMNS, CONFIG))
    (tmp_path / "a.json").write_bytes(b'{"data": "\xff"}')
    with pytest.raises(DataError, match="not UTF-8 at byte 11"):
        list(read_records([str(tmp_path / "a.json")], COLUMNS, CONFIG))


@pytest.mark.parametrize(
    ("name", "n", "faults"),
    [
        ("squad/train.json.gz", 8050, []),
        ("squad/dev.json.gz", 545, []),
        ("cmrc2018/cmrc2018_trial.json", 1002, ["column question is empty"] * 2),
        ("cmrc2018/cmrc2018_dev.json.gz", 3219, []),
    ],
)
def test_real_files(name, n, faults, shared):
    scanned = list(scan_records([str(shared / "data" / name)], COLUMNS, CONFIG))
    assert [f.what.partition(".")[0] for s in scanned for f in s.faults] == faults
    assert len(scanned) == n
    for record in filter(None, (s.record for s in scanned)):
        _, context, answers = record.values
        assert all(context[a.start :].startswith(a.text) for a in answers if a.start >= 0)
