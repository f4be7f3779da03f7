"""Pairs from files: aligned or refused, never shifted (specs/reliability.md C1).

Authority: the files, written out here; the number of pairs by `wc -l`.
"""

import gzip
import itertools
import subprocess
from pathlib import Path

import pytest

from pellucid import garden
from pellucid.config.columns import PAIR
from pellucid.config.data import DataConfig
from pellucid.data.builtin import GardenReader
from pellucid.data.check import check
from pellucid.data.records import read_records, scan_records
from pellucid.errors import DataError, UsageError

CONFIG = DataConfig(max_line_bytes=1000)
BLANK = ("", "")


def read_pairs(files, config=CONFIG):
    """The pair of each line, `BLANK` for a blank one.  Raises: DataError at the first fault."""
    records = read_records(files, PAIR, config)
    lines = {record.line: record.values for record in records}
    scanned = list(scan_records(files, PAIR, config))
    assert [s.line for s in scanned] == list(range(1, len(scanned) + 1))
    return [lines.get(s.line, BLANK) for s in scanned]


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, data: bytes | str) -> str:
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    return write


def wc(path: str) -> int:
    """Lines by the rule of `wc -l`, a last line without newline counted as one."""
    data = Path(path).read_bytes()
    count = int(
        subprocess.run(["wc", "-l", path], capture_output=True, check=True).stdout.split()[0]
    )
    return count + (not data.endswith(b"\n") and bool(data))


def pair_files(write, source: str | bytes, target: str | bytes) -> list[str]:
    return [write("train.en", source), write("train.de", target)]


@pytest.mark.parametrize(
    ("source", "target", "pairs"),
    [
        ("a\nb\n", "x\ny\n", [("a", "x"), ("b", "y")]),
        ("a\nb", "x\ny\n", [("a", "x"), ("b", "y")]),
        ("a\r\nb\r\n", "x\ny", [("a", "x"), ("b", "y")]),
        ("a\n\nb\n", "x\n\ny\n", [("a", "x"), BLANK, ("b", "y")]),
        ("a\n \nb\n", "x\n\t\r\ny\n", [("a", "x"), BLANK, ("b", "y")]),
        ("a\u2028b\nc\n", "x\ny\x85z\n", [("a\u2028b", "x"), ("c", "y\x85z")]),
        ("", "", []),
    ],
)
def test_aligned_files(source, target, pairs, write):
    files = pair_files(write, source, target)
    assert list(read_pairs(files, CONFIG)) == pairs
    assert len(pairs) == wc(files[0]) == wc(files[1])


@pytest.mark.parametrize(
    ("source", "target", "place", "words"),
    [
        ("a\nb\nc\n", "x\ny\n", "train.en:3", ["3 lines", "2", "'c'"]),
        ("a\n", "x\ny\nz\n", "train.de:2", ["1 lines", "3", "'y'"]),
        ("", "x\n", "train.de:1", ["0 lines", "1"]),
        ("a\nb\n\n", "x\ny\n", "train.en:3", ["3 lines", "2"]),
        ("a\n\n", "x\ny\n", "train.en:2", ["source is empty", "'y'"]),
        ("a\nb\n", "x\n \n", "train.de:2", ["target is empty", "'b'"]),
        ("a\nb\n", b"x\n\xff\n", "train.de:2:1", ["not UTF-8"]),
        (b"\xff\nb\n", "x\ny\n", "train.en:1:1", ["not UTF-8"]),
    ],
)
def test_misaligned_files(source, target, place, words, write):
    files = pair_files(write, source, target)
    with pytest.raises(DataError) as caught:
        list(read_pairs(files, CONFIG))
    assert f"/{place}: " in str(caught.value)
    assert all(word in str(caught.value) for word in words)
    assert str(caught.value) in {str(fault) for fault in check(files, CONFIG).faults}


@pytest.mark.parametrize("end", ["", ".gz"])
def test_tsv_and_jsonl(end, write):
    pack = gzip.compress if end else bytes
    tsv = write("data.tsv" + end, pack(b"a\tx\r\n\nb \t y"))
    assert list(read_pairs([tsv], CONFIG)) == [("a", "x"), BLANK, ("b ", " y")]
    lines = (
        b'{"source": "a", "target": "\\u00e4"}\n\n'
        b'{"id": 7, "target": "y\\ud83d\\ude00", "source": "b"}'
    )
    jsonl = write("data.jsonl" + end, pack(lines))
    assert list(read_pairs([jsonl], CONFIG)) == [("a", "ä"), BLANK, ("b", "y😀")]


@pytest.mark.parametrize(
    ("name", "line", "byte", "word"),
    [
        ("tsv", "a", 2, "1 columns"),
        ("tsv", "ä", 3, "1 columns"),
        ("tsv", "ä\tx\ty", 5, "3 columns"),
        ("tsv", "a\tx\t", 4, "3 columns"),
        ("tsv", "\tx", 0, "source is empty"),
        ("tsv", "a\t ", 0, "target is empty"),
        ("jsonl", "{", 2, "not JSON"),
        ("jsonl", '{"source": "ä" "target"}', 17, "not JSON"),
        ("jsonl", "[1]", 1, "not a JSON object"),
        ("jsonl", "3", 1, "not a JSON object"),
        ("jsonl", "{}", 1, "not a JSON object"),
        ("jsonl", '{"source": "a"}', 1, "no 'target' in this object"),
        ("jsonl", '{"source": "a", "target": 3}', 27, "3 is not a text"),
        ("jsonl", '{"source": "a", "target": null}', 0, "target is empty"),
        ("jsonl", '{"source": "", "target": "x"}', 0, "source is empty"),
        ("jsonl", '{"source": "a\\ud800b", "target": "x"}', 14, "ud800"),
        ("jsonl", '{"source": "a", "target": "\\uDFFF"}', 28, "udfff"),
        ("jsonl", '{"source": "a\\u0000", "target": "x"}', 14, "u0000"),
        ("jsonl", "[" * 900, 0, "JSON"),
        ("jsonl", '{"source": ' + "9" * 900 + "}", 1, "no 'target'"),
        ("jsonl", '{"source": "a", "source": "b", "target": "x"}', 17, "twice"),
    ],
)
def test_malformed_lines(name, line, byte, word, write):
    good = {"tsv": "a\tx\n", "jsonl": '{"source": "a", "target": "x"}\n'}[name]
    path = write(f"data.{name}", good + line + "\n" + good)
    with pytest.raises(DataError, match=word) as caught:
        list(read_pairs([path], CONFIG))
    assert str(caught.value).startswith(f"{path}:2:{byte}: " if byte else f"{path}:2")
    report = check([path], CONFIG)
    assert str(caught.value) in {str(fault) for fault in report.faults}
    assert report.examples == 2
    if byte:  # a mark before the first line is part of the file: its bytes count
        path = write(f"marked.{name}", "\ufeff" + line + "\n" + good)
        with pytest.raises(DataError, match=word) as caught:
            list(read_pairs([path], CONFIG))
        assert str(caught.value).startswith(f"{path}:1:{byte + 3}: ")


def test_no_shift_by_any_line_break(write):
    """Authority: brute force over every order of breaks that other readers split at."""
    breaks = ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
    texts = ["".join(order) for order in itertools.permutations(breaks, 3)]
    source = [f"{i}a{text}b" for i, text in enumerate(texts)]
    files = pair_files(
        write, "\n".join(source) + "\n", "".join(f"{i}\n" for i in range(len(texts)))
    )
    pairs = list(read_pairs(files, CONFIG))
    assert len(pairs) == len(texts) == wc(files[0])
    assert all(a.startswith(f"{b}a") for a, b in pairs)


def test_files_that_make_no_sense_together(write):
    a = write("a.en", "x\n")
    for files in ([a], [], [a, a], [a, a, a], ["-", "-"]):
        with pytest.raises(UsageError, match="aligned"):
            list(read_pairs(files, CONFIG))


def test_garden():
    config = DataConfig(source_language="de", target_language="zh")
    records = list(itertools.islice(read_records(("garden",), PAIR, config), 20))
    assert [record.line for record in records] == list(range(1, 21))
    assert len({record.values for record in records}) == 20
    assert all(any("\u4e00" < c < "\u9fff" for c in r.values[1]) for r in records)


def test_readers_of_the_garden_share_its_texts(monkeypatch):  # authority: the garden itself
    expected = list(garden.pairs(25, "zh", "en"))
    config = DataConfig(source_language="zh", target_language="en")
    some, all_of_them = GardenReader(PAIR, config, 25), GardenReader(PAIR, config, 25)
    assert [row.fields for row in itertools.islice(some, 7)] == expected[:7]
    together = zip(some, all_of_them, strict=True)
    assert [(a.fields, b.fields) for a, b in together] == [(pair, pair) for pair in expected]
    monkeypatch.setattr(garden, "pairs", None)  # nothing is generated again
    assert [row.fields for row in all_of_them] == expected
