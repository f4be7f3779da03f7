"""TSV and CSV. Authority: Python's csv module, and the files, written out here."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.config.columns import PAIR
from pellucid.config.data import DataConfig
from pellucid.data.check import check
from pellucid.data.records import read_records, scan_records
from pellucid.data.tables import CsvReader, TsvReader
from pellucid.errors import DataError

CONFIG = DataConfig(max_line_bytes=1000)

cells = st.text(st.sampled_from('ab"é我, ;\n\r\t😀'), max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=4))
def test_csv_as_the_csv_module_reads_it(tmp_path_factory, rows):
    """Fields, lines, and the place of each character, wherever quotes, newlines and commas are."""
    rows = [[cell.replace("\r", "").replace("\0", "") for cell in row] for row in rows]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    expected, begins = [], []
    with path.open(encoding="utf-8", newline="") as file:
        reader, line = csv.reader(file), 1
        for fields in reader:
            expected.append(fields if any(map(str.strip, fields)) else ())
            begins.append(line)
            line = reader.line_num + 1
    actual = CsvReader(str(path), CONFIG)
    result = list(actual)
    assert [row.fields for row in result] == expected
    assert [row.line for row in result] == begins
    lines = path.read_bytes().split(b"\n")
    for row in result:
        for index, field in enumerate(row.fields):
            for character, value in enumerate(field):
                place = actual.locate(row, index, character)
                rest = (b"\n".join(lines[place.line - 1 :]) + b"\n")[place.byte - 1 :]
                assert rest.startswith(value.encode())


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a;b\nc,d;e\n", [["a", "b"], ["c,d", "e"]]),
        ("a\tb\nc,d\te\n", [["a", "b"], ["c,d", "e"]]),
        ('"a;b",c\n', [["a;b", "c"]]),
        ("a; b,c\n", [["a; b", "c"]]),
        ('"a\r\nb",c\r\n', [["a\r\nb", "c"]]),
        ("\ufeffa,b\n", [["a", "b"]]),
        ("a\n", [["a"]]),
        ("", []),
    ],
)
def test_separators_and_line_ends_of_csv(text, rows, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    assert [list(row.fields) for row in CsvReader(str(path), CONFIG)] == rows


@pytest.mark.parametrize(
    ("text", "line", "byte", "word"),
    [
        ('a,x\n"b" c,y\nd,z\n', 2, 1, "not CSV"),
        ('a,x\nä,"b" c\nd,z\n', 2, 4, "not CSV"),
        ('a,x\nb,"y\nd,z\n', 2, 3, "not CSV"),
        ('a,x\n"b\nc"" d,y\n', 2, 1, "not CSV"),
        ("a,x\nb\nd,z\n", 2, 2, "1 columns instead of 2"),
        ("a,x\nb,y,ü,z\nd,z\n", 2, 4, "4 columns instead of 2"),
        ('a,x\n"b\n",y,z\nd,z\n', 3, 4, "3 columns instead of 2"),
        ('a,x\n"b\xff\n",y\nd,z\n', 2, 3, "not UTF-8"),
        ("a,x\n,y\nd,z\n", 2, 0, "the source is empty"),
        ("a,x\nü\rb,y\nd,z\n", 2, 3, "a carriage return outside quotes"),
        ("a\rb,x\nb,y\nd,z\n", 1, 2, "a carriage return outside quotes"),
    ],
)
def test_faults_of_csv(text, line, byte, word, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1") if "\xff" in text else text.encode())
    with pytest.raises(DataError, match=word) as caught:
        list(read_records([str(path)], PAIR, CONFIG))
    assert str(caught.value).startswith(f"{path}:{line}:" + (f"{byte}: " if byte else " "))
    report = check([str(path)], CONFIG, PAIR)
    assert str(caught.value) in {str(fault) for fault in report.faults}


def test_a_quote_without_end_loses_no_other_line(tmp_path):
    """And it takes no more than `max_line_bytes` of the file into memory."""
    path = tmp_path / "a.csv"
    path.write_text("source,target\n" + 'a,"x\n' + "b,y\n" * 5000)
    scanned = list(scan_records([str(path)], PAIR, DataConfig(max_line_bytes=100)))
    assert [s.line for s in scanned if s.faults] == [2]
    assert sum(s.record is not None for s in scanned) == 5000


def test_fields_beyond_the_csv_modules_own_limit(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("source,target\n" + "x" * 200_000 + ",y\n")
    record = next(read_records([str(path)], PAIR, DataConfig(max_line_bytes=300_000)))
    assert len(record.values[0]) == 200_000


def test_places_of_tsv(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffä\t我😀x\n".encode())
    reader = TsvReader(str(path), CONFIG)
    (row,) = reader
    assert row.fields == ["ä", "我😀x"]
    # Authority: bytes by hand. The mark has 3, ä 2, the tab 1, 我 3, 😀 4.
    assert [reader.locate(row, 0, 0).byte, reader.locate(row, 1, 0).byte] == [4, 7]
    assert [reader.locate(row, 1, i).byte for i in (1, 2)] == [10, 14]
