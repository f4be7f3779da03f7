"""Lines and documents of plain text. Authority: the files, written out here."""

import json
import tracemalloc

import pytest

from pellucid.config.columns import PAIR, Column
from pellucid.config.data import DataConfig
from pellucid.data.plain_text import MAX_PART_CHARACTERS, DocumentReader
from pellucid.data.records import read_records, scan_records
from pellucid.errors import DataError

DOCUMENT = (Column("text", "document"),)
TEXT = (Column("text", "text"),)
BOOK = "one\ntwo\n\n\nthree\n \nfour"


def write(path, text):
    path.write_bytes(text.encode())
    return [str(path)]


def read(files, columns=DOCUMENT, **settings):
    records = read_records(files, columns, DataConfig(**settings))
    return [(record.line, *record.values) for record in records]


@pytest.mark.parametrize(
    ("documents", "actual"),
    [
        ("line", [(1, "one"), (2, "two"), (5, "three"), (7, "four")]),
        ("blank_line", [(1, "one\ntwo"), (5, "three"), (7, "four")]),
        ("file", [(1, BOOK)]),
    ],
)
def test_where_documents_end(documents, actual, tmp_path):
    files = write(tmp_path / "a.txt", BOOK)
    assert read(files, documents=documents) == actual
    assert read(files * 2, documents=documents) == actual * 2
    assert read(files, TEXT, documents=documents) == read(files)  # a text is a line
    marked = write(tmp_path / "b.txt", "\ufeff" + BOOK.replace("\n", "\r\n") + "\r\n")
    assert read(marked, documents=documents) == actual
    assert read(write(tmp_path / "c.txt", " \n\n"), documents=documents) == []


@pytest.mark.parametrize("documents", ["line", "blank_line", "file"])
@pytest.mark.parametrize("unit", ["word ", "word\n", "我" * 1000 + "\n", "x"])
def test_the_parts_of_a_long_document_join_to_the_whole(documents, unit, tmp_path):
    text = unit * (2 * MAX_PART_CHARACTERS // len(unit) + 5)
    text = text if documents != "line" else text.replace("\n", " ")
    files = write(tmp_path / "a.txt", f"before\n\n{text}\n\nafter")
    if unit == "word ":
        (tmp_path / "a.jsonl").write_text(json.dumps({"text": text.replace("\n", " ")}))
        files.append(str(tmp_path / "a.jsonl"))
    config = DataConfig(documents=documents, max_line_bytes=10_000_000)
    records = list(read_records(files, DOCUMENT, config))
    assert all(len(record.values[0]) <= MAX_PART_CHARACTERS for record in records)
    documents_read = []
    for record in records:
        if record.continues:
            documents_read[-1] += record.values[0]
        else:
            documents_read.append(record.values[0])
    whole = [f"before\n\n{text}\n\nafter"] if documents == "file" else ["before", text, "after"]
    whole += [text.replace("\n", " ")] * (len(files) - 1)
    assert [t.strip() for t in documents_read] == [t.strip() for t in whole]


def test_faults_in_documents_and_their_places(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\nt\xffo\nthree\n\nfo\0r\nfive")
    config = DataConfig(documents="blank_line")
    scanned = list(scan_records([str(path)], DOCUMENT, config))
    assert [(f.line, f.byte) for s in scanned for f in s.faults] == [(2, 2), (5, 3)]
    assert [s.record.values[0] for s in scanned if s.record] == ["one\nthree", "five"]
    reader = DocumentReader(
        *write(tmp_path / "b.txt", "\ufeffä\n我x"), DataConfig(documents="file")
    )
    (row,) = reader
    # Authority: bytes by hand. The mark has 3, ä 2, 我 3.
    assert [tuple(reader.locate(row, 0, i))[1:] for i in (0, 2, 3)] == [(1, 4), (2, 1), (2, 4)]


def test_a_text_longer_than_any_tokenizer_takes(tmp_path):
    """Before any training, with file and line; a document is read in parts instead."""
    files = write(tmp_path / "a.txt", "short\n" + "x " * 140_000 + "\n")
    with pytest.raises(DataError, match=r"a\.txt:2:262145: text: 280,000 characters"):
        read(files, TEXT, max_line_bytes=1_000_000)
    assert len(read(files, max_line_bytes=1_000_000)) == 4


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.csv", "a.jsonl", "a.conll"])
def test_memory_does_not_grow_with_the_data(name, tmp_path):
    """Authority: Python's own count of its memory, with 1 MB of text and with 4."""
    words = "some words of a text and " * 20
    row = {
        "a.txt": f"{words}\n",
        "a.tsv": f"{words}\tand\n",
        "a.csv": f'"{words}\n{words}",and\n',
        "a.jsonl": f'{{"source": "{words}", "target": "and"}}\n',
        "a.conll": f"{'word' * 50}\tTAG\n" * 100 + "\n",
    }[name]
    tagged = (Column("words", "words"), Column("tags", "tags"))
    columns = {"a.conll": tagged, "a.txt": DOCUMENT}.get(name, PAIR)
    peaks = []
    for size in (1_000_000, 4_000_000):
        files = write(tmp_path / name, row * (size // len(row)))
        tracemalloc.start()
        assert sum(1 for _ in read_records(files, columns, DataConfig(documents="file")))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000
    assert peaks[1] < 4_000_000
