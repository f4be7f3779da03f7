"""SQuAD. Authority: the format by hand; counts of questions in shared/data/README.md."""

import gzip
import json

import pytest

from pellucid.config.columns import Column
from pellucid.config.data import DataConfig
from pellucid.config.tasks.question_answering import QuestionAnsweringConfig
from pellucid.data.check import check
from pellucid.data.records import read_records, scan_records
from pellucid.data.spans import Span
from pellucid.errors import DataError

COLUMNS = (
    Column("question", "text"),
    Column("context", "text"),
    Column("answers", "span"),
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
        (3, ("q2", CONTEXT, ())),
    ]


@pytest.mark.parametrize(
    ("start", "text", "place"),  # the nearest place, by hand
    [
        *((4, "cat", 4), (5, "cat", 4), (12, "cat", 17), (99, "cat", 17), (-3, "The", 0)),
        (10**30, "cat", 17),
    ],
)
def test_an_answer_that_is_elsewhere_is_searched_for(start, text, place, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(squad([answer(start, text)]))
    (record,) = read_records([str(path)], COLUMNS, CONFIG)
    assert record.values[2] == (Span(place, text, place != start),)
    report = check([str(path)], CONFIG, COLUMNS)
    assert report.counts.get("moved answers", 0) == (place != start)


def test_an_offset_in_bytes_is_corrected(tmp_path):
    """Authority: the UTF-8 bytes of the context; only the answer after the umlauts is elsewhere."""
    context, path = "cat äöü 我 dog.", tmp_path / "a.json"
    answers = [answer(len(context[: context.index(t)].encode()), t) for t in ("cat", "dog")]
    path.write_text(squad(answers).replace(CONTEXT, context))
    (record,) = read_records([str(path)], COLUMNS, CONFIG)
    assert record.values[2] == (Span(0, "cat"), Span(10, "dog", True))


@pytest.mark.parametrize("text", ["dog", "", "Cat"])
def test_answers_that_the_context_does_not_contain_are_refused(text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(squad([answer(4, "cat")], [answer(4, text)]))
    with pytest.raises(DataError, match=rf"a\.json:2: answers: {text!r} is not in the context"):
        list(read_records([str(path)], COLUMNS, CONFIG))
    path.write_text(squad([answer(4, text), answer(4, "cat")]))  # one is enough
    (record,) = read_records([str(path)], COLUMNS, CONFIG)
    assert record.values[2] == (Span(-1, text), Span(4, "cat"))


def test_other_layouts(tmp_path):
    """As data sets on the Hugging Face hub have it: one question a line, answers as two lists."""
    path = tmp_path / "a.jsonl"
    answers = {"text": ["cat", "The"], "answer_start": [4, 13]}
    path.write_text(json.dumps({"question": "q", "context": CONTEXT, "answers": answers}))
    (record,) = read_records([str(path)], COLUMNS, CONFIG)
    assert record.values == ("q", CONTEXT, (Span(4, "cat"), Span(13, "The")))


QUESTIONS = QuestionAnsweringConfig.columns


def read_questions(path, content):
    path.write_text(content)
    return [record.values[2] for record in read_records([str(path)], QUESTIONS, CONFIG)]


def test_answers_of_tables(tmp_path):  # authority: the positions by hand
    lines = f"question\tcontext\tanswer\nq\t{CONTEXT}\tcat\nr\t{CONTEXT}\t\n"
    assert read_questions(tmp_path / "a.tsv", lines) == [(Span(4, "cat"),), ()]
    assert read_questions(tmp_path / "a.tsv", f"q\t{CONTEXT}\tThe\n") == [(Span(0, "The"),)]
    header = "answer_start,question,context,answer\n"
    lines = header + f"17,q,{CONTEXT},cat\n16,r,{CONTEXT},cat\n,s,{CONTEXT},cat\n"
    spans = [(Span(17, "cat"),), (Span(17, "cat", True),), (Span(4, "cat"),)]
    assert read_questions(tmp_path / "a.csv", lines) == spans
    with pytest.raises(DataError, match=r"a\.csv:2:1: answer_start: 1\.5 is not a whole number"):
        read_questions(tmp_path / "a.csv", header + f"1.5,q,{CONTEXT},cat\n")


def test_no_answer_differs_from_no_column(tmp_path):
    question = {"question": "q", "context": CONTEXT}
    for answers in ([], "", {"text": [], "answer_start": []}):
        content = json.dumps({**question, "answers": answers})
        assert read_questions(tmp_path / "a.jsonl", content) == [()]
    with pytest.raises(DataError, match="column answers is empty"):
        read_questions(tmp_path / "a.jsonl", json.dumps({**question, "answers": None}))
    with pytest.raises(DataError, match="no field for answers"):
        read_questions(tmp_path / "a.jsonl", json.dumps(question))
    content = squad([]).replace('"answers"', '"hidden"')  # a test set
    with pytest.raises(DataError, match=r"a\.json:1: column answers is empty"):
        read_questions(tmp_path / "a.json", content)


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("{", ":1:2", "not JSON"),
        ('{"data":\n [1, }', ":2:6", "not JSON"),
        ('{"data": "äöü" 1}', ":1:19", "not JSON"),  # bytes, not characters
        (squad([])[:-9], f":1:{len(squad([])) - 8}", "not JSON"),
        ("[" * 100_000, "", "recursion"),
        ("1" * 5000, "", "4300 digits"),
        (squad([answer(float("nan"), "cat")]), "", "NaN is not a number"),
        (squad([]).replace('"id"', '"question": "r", "id"'), "", "'question' comes twice in {"),
        ('{"data": []}', "", "no question"),
        ('{"version": 1}', "", "data is missing"),
        ('[{"text": "a"}]', "", "not a JSON object"),
        ('{"data": [{"paragraphs": []}, 7]}', "", r"data\[1\] is not an object"),
        ('{"data": [{}]}', "", r"data\[0\].paragraphs is missing"),
        (squad([]).replace("[{", "[7, {", 2), "", r"data\[0\] is not an object"),
        (squad([]).replace('"qas": [', '"qas": [[], '), "", r"paragraphs\[0\].qas\[0\] is not"),
        (squad([]).replace('"qas"', '"qas": 7, "x"'), "", r"paragraphs\[0\].qas is not a list"),
        (squad([]).replace('"context"', '"text"'), ":1", "column context is empty"),
        (squad([answer(True, "cat")]), ":1", "an answer needs"),
        (squad({"text": ["cat", "The"], "answer_start": [4]}), ":1", "2 texts and 1 starts"),
        (squad([answer(4, "cat")], [answer(0, "\ud800")]), ":2", "not in the context"),
        (squad([{"text": "cat"}]), ":1", "an answer needs"),
        (squad([answer("4", "cat")]), ":1", "an answer needs"),
        (squad(7), ":1", "not a list of answers"),
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
