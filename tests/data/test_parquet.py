"""Parquet. Authority: pyarrow, which writes the files."""

import gzip
import sys

import pytest

from pellucid.config.columns import PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.data.check import check
from pellucid.data.records import read_records
from pellucid.errors import DataError, UsageError

CONFIG = DataConfig()
COLUMNS = (Column("words", "words", ("tokens",)), Column("tags", "tags", ("ner_tags",)))


@pytest.fixture
def table():
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    def write(path, columns):
        parquet.write_table(pyarrow.table(columns), path, row_group_size=1000)
        return [str(path)]

    return write


@pytest.mark.parametrize("end", ["", ".gz"])
def test_rows(end, table, tmp_path):
    texts = [f"text {i}" for i in range(5000)]
    files = table(tmp_path / "a.parquet", {"target": texts[::-1], "source": texts, "n": texts})
    if end:
        path = tmp_path / "b.parquet.gz"
        path.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
        files = [str(path)]
    records = list(read_records(files, PAIR, CONFIG))
    assert [record.values for record in records] == list(zip(texts, texts[::-1], strict=True))
    assert [record.line for record in records] == list(range(1, 5001))


def test_lists(table, tmp_path):
    files = table(
        tmp_path / "a.parquet", {"tokens": [["a", "b"], ["c"]], "ner_tags": [[0, 3], [0]]}
    )
    assert [record.values for record in read_records(files, COLUMNS, CONFIG)] == [
        (("a", "b"), ("0", "3")),
        (("c",), ("0",)),
    ]


def test_faults(table, tmp_path):
    files = table(
        tmp_path / "a.parquet", {"source": ["a", None, "c", "d"], "target": ["x", "y", None, "z"]}
    )
    report = check(files, CONFIG)
    assert [(fault.line, fault.kind) for fault in report.faults] == [
        (2, "empty on one side"),
        (3, "empty on one side"),
    ]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 no parquet")
    for name in ("b.parquet", "absent.parquet"):
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            list(read_records([str(tmp_path / name)], PAIR, CONFIG))


def test_without_pyarrow_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'pellucid\[parquet\]'"):
        list(read_records([str(tmp_path / "a.parquet")], PAIR, CONFIG))
