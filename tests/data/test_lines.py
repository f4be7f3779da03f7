"""Bytes to lines (specs/reliability.md C1): a documented result, or an error that names file, line
and byte. Authority: the bytes, written out here; the number of lines by `wc -l`."""

import gzip
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pellucid.config.data import DataConfig
from pellucid.data.check import check
from pellucid.data.lines import read_lines
from pellucid.errors import DataError

LIMIT = 1000
CONFIG = DataConfig(max_line_bytes=LIMIT)

# What one file of bytes gives: its lines.
GOOD = {
    "empty file": (b"", []),
    "one line": (b"a\n", ["a"]),
    "last line without newline": (b"a\nb", ["a", "b"]),
    "only a newline": (b"\n", [""]),
    "blank lines stay": (b"\n\na\n\n", ["", "", "a", ""]),
    "CRLF": (b"a\r\nb\r\n", ["a", "b"]),
    "CRLF and LF mixed": (b"a\r\nb\nc\r\n", ["a", "b", "c"]),
    "one CR of two is dropped": (b"a\r\r\n", ["a\r"]),
    "CR inside stays": (b"a\rb\nc\n", ["a\rb", "c"]),
    "CR inside, no last newline": (b"a\nb\rc", ["a", "b\rc"]),
    "UTF-8 mark is dropped": (b"\xef\xbb\xbfa\n", ["a"]),
    "UTF-8 mark alone": (b"\xef\xbb\xbf", [""]),
    "UTF-8 mark later stays": (b"a\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
    "U+2028 stays": ("a\u2028b\n".encode(), ["a\u2028b"]),
    "U+2029 stays": ("a\u2029b\n".encode(), ["a\u2029b"]),
    "U+0085 stays": ("a\x85b\n".encode(), ["a\x85b"]),
    "VT stays": (b"a\x0bb\n", ["a\x0bb"]),
    "FF stays": (b"a\x0cb\n", ["a\x0cb"]),
    "FS GS RS stay": (b"a\x1cb\x1dc\x1ed\n", ["a\x1cb\x1dc\x1ed"]),
    "tab stays": (b"a\tb\n", ["a\tb"]),
    "spaces stay": (b" a  b \n", [" a  b "]),
    "two bytes a character": ("äöü\n".encode(), ["äöü"]),
    "three bytes a character": ("我爱你\n".encode(), ["我爱你"]),
    "four bytes a character": ("😀\n".encode(), ["😀"]),
    "noncharacters": ("\ufffe\uffff\U0010ffff\n".encode(), ["\ufffe\uffff\U0010ffff"]),
    "longest line": (b"x" * LIMIT + b"\n", ["x" * LIMIT]),
    "longest line, CRLF": (b"x" * LIMIT + b"\r\n", ["x" * LIMIT]),
    "longest line after a mark": (b"\xef\xbb\xbf" + b"x" * LIMIT + b"\r\n", ["x" * LIMIT]),
    "gzip": (gzip.compress(b"a\nb\n"), ["a", "b"]),
    "gzip of two members": (gzip.compress(b"a\n") + gzip.compress(b"b\n"), ["a", "b"]),
    "gzip of nothing": (gzip.compress(b""), []),
    "gzip with CRLF and mark": (gzip.compress(b"\xef\xbb\xbfa\r\nb"), ["a", "b"]),
}

# What one file of bytes gives: line, byte (0: none) and a word of the error.
BAD = {
    "continuation byte alone": (b"a\nb\x80\n", 2, 2, "not UTF-8"),
    "last continuation byte": (b"\xbf\n", 1, 1, "not UTF-8"),
    "overlong slash": (b"ab\xc0\xaf\n", 1, 3, "not UTF-8"),
    "overlong C1": (b"\xc1\xbf\n", 1, 1, "not UTF-8"),
    "overlong of three": (b"\xe0\x80\xaf\n", 1, 1, "not UTF-8"),
    "overlong of four": (b"\xf0\x80\x80\xaf\n", 1, 1, "not UTF-8"),
    "two bytes cut": (b"a\xc3\n", 1, 2, "not UTF-8"),
    "three bytes cut": (b"a\xe6\x88\n", 1, 2, "not UTF-8"),
    "four bytes cut": (b"a\xf0\x9f\x98\n", 1, 2, "not UTF-8"),
    "cut at the end of the file": (b"ok\na\xc3", 2, 2, "not UTF-8"),
    "surrogate in UTF-8": (b"\xed\xa0\x80\n", 1, 1, "not UTF-8"),
    "surrogate pair in UTF-8": (b"a\xed\xa0\xbd\xed\xb8\x80\n", 1, 2, "not UTF-8"),
    "beyond Unicode": (b"\xf4\x90\x80\x80\n", 1, 1, "not UTF-8"),
    "byte F5": (b"\xf5\x80\x80\x80\n", 1, 1, "not UTF-8"),
    "byte FE": (b"a\xfe\n", 1, 2, "not UTF-8"),
    "byte FF": (b"a\xff\n", 1, 2, "not UTF-8"),
    "Latin-1": ("ok\nä ö\n".encode("latin-1"), 2, 1, "not UTF-8"),
    "after a mark": (b"\xef\xbb\xbfa\xff\n", 1, 5, "not UTF-8"),
    "NUL after a mark": (b"\xef\xbb\xbf\0\n", 1, 4, "NUL"),
    "too long after a mark": (b"\xef\xbb\xbf" + b"x" * (LIMIT + 1), 1, LIMIT + 4, "longer"),
    "in the third line": (b"a\n\xc3\xa4\nxyz\xff\n", 3, 4, "not UTF-8"),
    "NUL": (b"a\nbc\0d\n", 2, 3, "NUL"),
    "NUL first": (b"\0\n", 1, 1, "NUL"),
    "UTF-16 without mark": ("ab\n".encode("utf-16-le"), 1, 2, "NUL"),
    "UTF-16 little": ("\ufeffab\n".encode("utf-16-le"), 1, 1, "UTF-16"),
    "UTF-16 big": ("\ufeffab\n".encode("utf-16-be"), 1, 1, "UTF-16"),
    "UTF-32 little": ("\ufeffab\n".encode("utf-32-le"), 1, 1, "UTF-32"),
    "UTF-32 big": ("\ufeffab\n".encode("utf-32-be"), 1, 1, "UTF-32"),
    "line too long": (b"a\n" + b"x" * (LIMIT + 1) + b"\n", 2, LIMIT + 1, "longer"),
    "line too long, no newline": (b"x" * 5000, 1, LIMIT + 1, "longer"),
    "CR alone": (b"a\rb\rc\r", 1, 2, "carriage"),
    "CR alone, no last one": (b"a\rb", 1, 2, "carriage"),
    "gzip cut in the head": (gzip.compress(b"a\nb\n")[:6], 1, 0, "gzip"),
    "gzip cut in the data": (gzip.compress(bytes(range(1, 10)) * 9)[:-14], 1, 0, "gzip"),
    "gzip cut in its sum": (gzip.compress(b"a\nb\n")[:-3], 3, 0, "gzip"),
    "gzip, flipped byte": (gzip.compress(b"a\nb\n", 0)[:16] + b"!" * 12, 1, 0, "gzip"),
    "gzip, then rubbish": (gzip.compress(b"a\n") + b"rubbish", 2, 0, "gzip"),
    "gzip of bad UTF-8": (gzip.compress(b"a\n\xff\n"), 2, 1, "not UTF-8"),
}


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


@pytest.mark.parametrize("case", GOOD)
def test_what_can_be_read(case, write):
    data, lines = GOOD[case]
    path = write("file", data)
    assert list(read_lines(path, LIMIT)) == lines
    if not data.startswith(b"\x1f\x8b"):
        assert len(lines) == wc(path)


@pytest.mark.parametrize("case", BAD)
def test_what_cannot(case, write):
    data, line, byte, word = BAD[case]
    path = write("file", data)
    with pytest.raises(DataError, match=word) as caught:
        list(read_lines(path, LIMIT))
    place = f"{path}:{line}" + (f":{byte}" if byte else "")
    assert str(caught.value).startswith(place + ": ")
    report = check([path, write("other", b"x\n" * 5)], CONFIG)
    assert any(str(fault) == str(caught.value) for fault in report.faults)


def test_files_that_are_no_files(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match=re.escape(str(path))):
            list(read_lines(path, LIMIT))
    assert check([str(tmp_path / "missing"), str(tmp_path / "absent")], CONFIG).fatal
    with pytest.raises(DataError, match="the folder has no file with a known ending"):
        check([str(tmp_path), str(tmp_path / "missing")], CONFIG)
    with pytest.raises(DataError, match="longer"):
        list(read_lines("/dev/zero", LIMIT))
    assert list(read_lines("/dev/null", LIMIT)) == []


@pytest.mark.parametrize("data", [b"a\nb", gzip.compress(b"a\nb")], ids=["plain", "gzip"])
def test_pipes(data, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def feed():
        with open(fifo, "wb", buffering=0) as pipe:
            for byte in data:  # one by one: no read may count on seeing two at once
                pipe.write(bytes([byte]))

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert list(read_lines(fifo, LIMIT)) == ["a", "b"]
    feeder.join()
    code = "from pellucid.data.lines import read_lines; print(list(read_lines('-', 9)))"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout == b"['a', 'b']\n"


def test_ten_megabytes_are_refused_at_once(write):
    path = write("long", b"x" * 10_000_000)
    start = time.perf_counter()
    with pytest.raises(DataError, match=":1:65537: "):
        list(read_lines(path, 65_536))
    assert time.perf_counter() - start < 0.2
