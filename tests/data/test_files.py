"""Names to files. Authority: folders and patterns, written out here."""

import gzip

import pytest

from pellucid.config.columns import PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.data.files import expand_names, open_files
from pellucid.data.records import read_records
from pellucid.errors import DataError, UsageError

CONFIG = DataConfig()
TEXT = (Column("text", "text"),)
LABELED = (Column("text", "text"), Column("label", "label"))


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.txt",
        "a.txt.gz",
        "sub/c.TXT",
        "sub/.hidden/d.txt",
        ".e.txt",
        "README.md",
        "f.en",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = f"{name}\n".encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return tmp_path


def texts(files, columns=TEXT):
    return [record.values[0] for record in read_records(list(map(str, files)), columns, CONFIG)]


def test_a_folder_gives_its_files_in_sorted_order(folder):
    assert texts([folder]) == ["a.txt.gz", "b.txt", "sub/c.TXT"]
    assert texts([folder / "sub", folder / "b.txt"]) == ["sub/c.TXT", "b.txt"]


def test_a_pattern_gives_its_files_in_sorted_order(folder):
    assert texts([folder / "*.txt*"]) == ["a.txt.gz", "b.txt"]
    assert texts([folder / "**" / "*.[tT]*"]) == ["a.txt.gz", "b.txt", "sub/c.TXT"]
    assert texts([folder / "*.en"]) == ["f.en"]
    odd = folder / "a[1].txt"
    odd.write_text("odd\n")
    assert texts([odd]) == ["odd"]  # a file of that very name is no pattern


def test_records_name_their_file(folder):
    records = read_records([str(folder)], TEXT, CONFIG)
    assert [(record.file, record.line) for record in records] == [
        (str(folder / name), 1) for name in ("a.txt.gz", "b.txt", "sub/c.TXT")
    ]


def test_nothing_there(folder):
    with pytest.raises(DataError, match="no file matches the pattern"):
        expand_names([str(folder / "*.tsv")])
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="no file with a known ending"):
        expand_names([str(folder / "empty")])
    with pytest.raises(DataError, match=r"absent\.txt: cannot be read: No such file"):
        texts([folder / "b.txt", folder / "absent.txt"])


def test_two_tables_follow_each_other_and_two_texts_are_aligned(tmp_path):
    for name in ("a.tsv", "b.tsv", "a.csv"):
        (tmp_path / name).write_text(f"{name},x\n" if "csv" in name else f"{name}\tx\n")
    assert texts([tmp_path / "b.tsv", tmp_path / "a.tsv"], PAIR) == ["b.tsv", "a.tsv"]
    assert texts([tmp_path], PAIR) == ["a.csv", "a.tsv", "b.tsv"]
    (tmp_path / "a.en").write_text("a\n")
    (tmp_path / "a.de").write_text("x\n")
    (record,) = read_records([str(tmp_path / "a.en"), str(tmp_path / "a.de")], PAIR, CONFIG)
    assert record.values == ("a", "x")
    assert texts([tmp_path / "a.en", tmp_path / "a.de"]) == ["a", "x"]  # one column: no alignment


@pytest.mark.parametrize(
    ("files", "columns", "message"),
    [
        (["a.en"], PAIR, "cannot read source and target from"),
        (["a.en", "b.tsv"], PAIR, "cannot read source and target from"),
        (["a.en", "a.en"], PAIR, "two different aligned text files"),
        (["a.txt"], LABELED, "cannot read text and label from a.txt: a line of plain text is one"),
        (["-", "a.txt"], TEXT, "cannot read text from -"),
        ([], TEXT, "cannot read text from no file"),
        (["garden"], LABELED, "the built-in corpus .* has texts, but this task reads text, label"),
    ],
)
def test_files_that_cannot_have_the_columns(files, columns, message):
    with pytest.raises(UsageError, match=message):
        open_files(files, columns, CONFIG)


def test_the_garden_as_single_texts():
    """Authority: its own pairs."""
    from itertools import islice

    pairs = list(islice(read_records(["garden"], PAIR, CONFIG), 4))
    english = list(islice(read_records(["garden"], TEXT, CONFIG), 4))
    assert [r.values[0] for r in english] == [r.values[0] for r in pairs]
    german = DataConfig(target_language="de")
    assert [r.values[0] for r in islice(read_records(["garden"], TEXT, german), 4)] == [
        r.values[1] for r in pairs
    ]
    both = DataConfig(source_language="en", target_language="de")
    mixed = [r.values[0] for r in islice(read_records(["garden"], TEXT, both), 8)]
    assert mixed == [text for r in pairs for text in r.values]
