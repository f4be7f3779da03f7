"""Columns and fields. Authority: tables and objects, written out here, and real files."""

import json
import random

import pytest

from pellucid.config.columns import PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.data.check import check
from pellucid.data.recognized import recognize
from pellucid.data.records import read_records
from pellucid.errors import ConfigError, DataError

TEXT = Column("text", "text", ("sentence", "review"))
LABEL = Column("label", "label", ("class", "category"))
LABELED = (TEXT, LABEL)
SCORED = (TEXT, Column("text_pair", "text", ("sentence2",)), Column("score", "score", ("sim",)))
OPTIONAL = (TEXT, Column("title", "text", optional=True))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def first(file, task, **settings):
    """The first record's line and values."""
    record = next(read_records([file], task, DataConfig(**settings)))
    return (record.line, *record.values)


@pytest.mark.parametrize(
    ("text", "columns", "settings", "record"),
    [
        # a header with the column's own, then with usual names, in any order and case
        ("label\ttext\nx\ta b\n", LABELED, {}, (2, "a b", "x")),
        ("id\tSentence\tCLASS\n1\ta b\tx\n", LABELED, {}, (2, "a b", "x")),
        ("sentence\ttext\tlabel\no\ta b\tx\n", LABELED, {}, (2, "a b", "x")),
        ("en\tde\na\tb\n", PAIR, {"source_language": "de", "target_language": "en"}, (2, "b", "a")),
        (
            "Text\ttext\tlabel\na b\tc d\tx\n",
            LABELED,
            {},
            (2, "a b", "x"),
        ),  # of two alike the first
        # names and numbers that the user gives
        ("r\ts\na b\tx\n", LABELED, {"columns": {"text": "r", "label": "S"}}, (2, "a b", "x")),
        ("a b\t7\tx\n", LABELED, {"columns": {"text": 1, "label": 3}}, (1, "a b", "x")),
        ("text\tr\tlabel\no\ta b\tx\n", LABELED, {"columns": {"text": "r"}}, (2, "a b", "x")),
        ("text\tr\tlabel\no\ta b\tx\n", LABELED, {"columns": {"text": 2}}, (2, "a b", "x")),
        ("x\ta b\n", LABELED, {"columns": {"label": 1}}, (1, "a b", "x")),
        # no header: few values, or no spaces, are labels; numbers are scores
        ("a b\tx\nc d\tx\n", LABELED, {}, (1, "a b", "x")),
        ("x\ta b\nx\tc d\n", LABELED, {}, (1, "a b", "x")),
        ("x\ta b\n", LABELED, {}, (1, "a b", "x")),
        ("1.5\ta\tb\n0\tc\td\n", SCORED, {}, (1, "a", "b", 1.5)),
        ("a\tb\t1\nc\td\t2\n", SCORED, {}, (1, "a", "b", 1.0)),
        # a header of other names above numbers
        ("q\tr\ts\na\tb\t1\nc\td\t2\n", SCORED, {}, (2, "a", "b", 1.0)),
        ("q\tr\na b\t1\nc d\t1\n", LABELED, {}, (2, "a b", "1")),
        ("q\tr\na b\t1\nc d\t2\n", LABELED, {"columns": {"text": 1, "label": 2}}, (2, "a b", "1")),
        ("q\tr\n1\ta b\n2\tc d\n", (TEXT,), {"columns": {"text": 2}}, (2, "a b")),
        ("q\tr\n1\ta b\n", (TEXT,), {"columns": {"text": 2}}, (1, "r")),  # one row is too few
        # optional columns
        ("a\tb\n", OPTIONAL, {}, (1, "a", "b")),
        ("a\n", OPTIONAL, {}, (1, "a", None)),
        ("text\tother\na\tb\n", OPTIONAL, {}, (2, "a", None)),
        ("title\ttext\n\tb\n", OPTIONAL, {}, (2, "b", None)),
    ],
)
def test_tables(text, columns, settings, record, tmp_path):
    assert first(write(tmp_path / "a.tsv", text), columns, **settings) == record
    csv = "\n".join(",".join(f'"{f}"' for f in row.split("\t")) for row in text.split("\n") if row)
    assert first(write(tmp_path / "a.csv", csv), columns, **settings) == record


@pytest.mark.parametrize(
    ("members", "columns", "settings", "values"),
    [
        ({"review": "a", "Category": 3}, LABELED, {}, ("a", "3")),
        ({"r": "a", "s": "x"}, LABELED, {"columns": {"text": "r", "label": "s"}}, ("a", "x")),
        ({"text": "o", "r": "a", "label": "x"}, LABELED, {"columns": {"text": "r"}}, ("a", "x")),
        ({"text": "a"}, OPTIONAL, {}, ("a", None)),
        ({"text": "a", "title": None}, OPTIONAL, {}, ("a", None)),
    ],
)
def test_objects(members, columns, settings, values, tmp_path):
    file = write(tmp_path / "a.jsonl", json.dumps(members))
    assert first(file, columns, **settings) == (1, *values)


@pytest.mark.parametrize(
    ("name", "text", "columns", "settings", "message"),
    [
        (
            "a.tsv",
            "text\tstars\na\tx\n",
            LABELED,
            {},
            "no field for label. The fields are: text, s",
        ),
        ("a.jsonl", '{"text": "a", "s": 1}\n', LABELED, {}, "no field for label. .* text, s"),
        (
            "a.tsv",
            "a b\tx\n",
            LABELED,
            {"columns": {"text": "r"}},
            "reads text from 'r', which is not a field. .* a b, x",
        ),
        (
            "a.tsv",
            "a b\tx\n",
            LABELED,
            {"columns": {"text": 1, "label": 3}},
            "no field for label. The fields are: column 1, column 2",
        ),
        ("a.tsv", "text\tlabel\na\tx\n", LABELED, {"columns": {"label": 3}}, "no field for label"),
        (
            "a.tsv",
            "text\tr\na\tx\n",
            OPTIONAL,
            {"columns": {"title": "t"}},
            "reads title from 't', which is not a field",
        ),
        ("a.tsv", "a b\tc d\ne f\tg h\n", LABELED, {}, "no field has clearly fewer values"),
        ("a.tsv", "\ta\tb\n1\tc\td\n2\te\tf\n", SCORED, {}, "column score is empty"),
        ("a.tsv", "x\ty\nz\tw\n", LABELED, {}, "no field has clearly fewer values"),
        ("a.tsv", "a\tb\tc\nd\te\tf\n", SCORED, {}, "no field of numbers for score"),
        ("a.tsv", "a b\tx\t1\nc d\tx\t2\n", LABELED, {}, "3 columns instead of 2"),
        ("a.tsv", "a b\nc d\n", LABELED, {}, "1 columns instead of 2"),
    ],
)
def test_what_is_unclear_is_an_error(name, text, columns, settings, message, tmp_path):
    file = write(tmp_path / name, text)
    with pytest.raises(DataError, match=message) as caught:
        list(read_records([file], columns, DataConfig(**settings)))
    assert str(caught.value).startswith(f"{file}:1:")
    assert "data.columns" in str(caught.value) or "is empty" in message
    assert check([file], DataConfig(**settings), columns).fatal


def test_a_column_that_the_task_does_not_read(tmp_path):
    file = write(tmp_path / "a.tsv", "a\tx\n")
    for name, message in (("txt", "Did you mean text?"), ("zzz", "It reads text, label")):
        with pytest.raises(ConfigError, match=f"reads no column '{name}'. {message}"):
            read_records([file], LABELED, DataConfig(columns={name: 1}))


@pytest.mark.parametrize("side", [0, 1])
def test_the_label_of_a_table_without_header(side, tmp_path):
    """Whichever column it is; files after the first are read in the same way."""
    draw = random.Random(0)
    rows = [(f"w{draw.random()} w{i}", draw.choice(["very good", "bad"])) for i in range(200)]
    lines = ["\t".join(row if side else row[::-1]) + "\n" for row in rows]
    files = [write(tmp_path / "a.tsv", "".join(lines)), write(tmp_path / "b.tsv", lines[0])]
    records = list(read_records(files, LABELED, DataConfig()))
    assert [record.values for record in records] == [*rows, rows[0]]


def test_each_file_may_have_its_own_header(tmp_path):
    files = [
        write(tmp_path / "a.tsv", "text\tlabel\na\tx\n"),
        write(tmp_path / "b.csv", "label,text\nx,a\n"),
    ]
    assert [r.values for r in read_records(files, LABELED, DataConfig())] == [("a", "x")] * 2


def test_what_is_recognized_is_described(tmp_path):
    rows = "".join(f"{i},a {i},x\n" for i in range(9))
    files = [write(tmp_path / "a.csv", "id,review,category\n" + rows)] * 2
    assert recognize(files, LABELED, DataConfig()).describe() == [
        f"data: {files[0]} and {files[1]}, CSV with a header",
        "  text: column 2 ('review')",
        "  label: column 3 ('category')",
        *(f"  line {i + 2}: text='a {i}'  label='x'" for i in range(3)),
    ]
    with pytest.raises(DataError, match="no example in it"):
        recognize([write(tmp_path / "b.csv", "text,label\n")], LABELED, DataConfig())


@pytest.mark.parametrize(
    ("name", "columns", "n", "line"),
    [
        ("sst2/glue/train.tsv.gz", LABELED, 67349, 2),
        ("sst2/glue/test.unlabelled.tsv", (TEXT,), 1821, 2),
        ("sst2/sentences/train.tsv", LABELED, 6920, 1),
        ("stsb/en.train.tsv", SCORED, 5749, 1),
        ("stsb/zh.dev.tsv", SCORED, 1500, 1),
        ("tatoeba/eng-cmn.tsv.gz", PAIR, 26150, 1),
    ],
)
def test_real_files(name, columns, n, line, shared):  # authority: shared/data/README.md
    count = 0
    for record in read_records([str(shared / "data" / name)], columns, DataConfig()):
        count += 1
        if columns is LABELED:
            assert record.values[1] in ("0", "1")
        if columns is SCORED:
            assert 0 <= record.values[2] <= 5
        if count == 1:
            assert record.line == line
    assert count == n
