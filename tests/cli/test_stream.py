"""Chunks of lines: nothing lost or waited for in vain.  Authority: bytes.split, by brute force."""

import io
import os
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cli.stream import poll_chunks, read_chunks
from pellucid.errors import ConfigError, DataError


class Pipe:
    """Standard input as a pipe that the test writes to."""

    def __enter__(self):
        reader, self.writer = os.pipe()
        self.before, sys.stdin = sys.stdin, io.TextIOWrapper(os.fdopen(reader, "rb"))
        return self

    def write(self, data):
        os.write(self.writer, data)

    def close(self):
        os.close(self.writer)

    def __exit__(self, *exc):
        sys.stdin.close()
        sys.stdin = self.before


@given(
    st.lists(st.sampled_from(["", "a", "bb c", "é狗", "\u2028", "d" * 90, "\x0bz"])),
    st.booleans(),
    st.integers(1, 7),
)
def test_all_lines_in_order(lines, ended, most):
    data = "\n".join(lines).encode() + b"\n" * (ended and bool(lines))
    expected = data.decode().split("\n")
    if not data or data.endswith(b"\n"):
        expected.pop()
    with Pipe() as pipe:
        pipe.write(data)
        pipe.close()
        actual = list(read_chunks(most, 100))
    assert [line for chunk in actual for line in chunk.lines] == expected
    assert [chunk.first for chunk in actual] == list(range(0, len(expected), most))


def test_a_typed_line_is_answered_before_the_next():
    with Pipe() as pipe:
        pipe.write(b"one\n")
        stream = read_chunks(2000, 100)
        assert next(stream).lines == ["one"]
        pipe.write(b"two\nthr")
        assert next(stream).lines == ["two"]
        pipe.write(b"ee")
        pipe.close()
        assert next(stream).lines == ["three"]
        assert list(stream) == []


def test_plenty_of_input_comes_in_full_chunks():
    def fill(pipe):
        for _ in range(1000):
            pipe.write(b"x\n" * 10)
        pipe.close()

    with Pipe() as pipe:
        writer = threading.Thread(target=fill, args=[pipe])
        writer.start()
        sizes = [len(chunk.lines) for chunk in read_chunks(2000, 100)]
        writer.join()
    assert sum(sizes) == 10_000
    assert len(sizes) <= 10


def test_long_lines_come_in_smaller_chunks():
    """So a verb holds a megabyte at a time, not 2,000 lines of 64 kB."""
    n, line = 200, b"x" * 60_000

    def fill(pipe):
        for _ in range(n):
            pipe.write(line + b"\n")
        pipe.close()

    with Pipe() as pipe:
        writer = threading.Thread(target=fill, args=[pipe])
        writer.start()
        chunks = list(read_chunks(2000, 65_536))
        writer.join()
    assert [line for chunk in chunks for line in chunk.lines] == [line.decode()] * n
    assert [chunk.first for chunk in chunks[1:]] == [c.first + len(c.lines) for c in chunks[:-1]]
    assert max(len(chunk.lines) for chunk in chunks) <= (1 << 20) // len(line) + 2


def test_the_impatient_are_told_that_there_is_nothing_yet():
    with Pipe() as pipe:
        stream = poll_chunks(10, 100)
        started = time.monotonic()
        assert next(stream) is None
        assert time.monotonic() - started < 1
        pipe.write(b"a\n")
        assert next(stream).lines == ["a"]
        pipe.close()
        assert list(stream) == []


@pytest.mark.parametrize(
    ("data", "before", "message"),
    [
        (b"a\nb\xff\nc\n", ["a"], "standard input:2:2: not UTF-8"),
        (b"a\n" + b"x" * 101 + b"\nb\n", ["a"], "standard input:2:101: the line is longer"),
        (b"x" * 5000, [], "standard input:1:101"),
        (b"a\0\n", [], "NUL"),
        (b"\x1f\x8b\x08\x00", [], "gunzip"),
        ("a\n".encode("utf-16"), [], "UTF-16"),
    ],
)
def test_what_comes_before_a_fault_is_kept(data, before, message):
    actual = []
    with Pipe() as pipe:
        pipe.write(data)
        pipe.close()
        with pytest.raises(DataError, match=message):
            actual.extend(line for chunk in read_chunks(10, 100) for line in chunk.lines)
    assert not actual or actual == before


def test_an_endless_line_is_refused_in_little_memory():
    """C3: authority, the limit itself. The writer would fill 64 MB."""

    def fill(pipe):
        try:
            for _ in range(1000):
                pipe.write(b"x" * 65_536)
        except BrokenPipeError:
            refused.append(True)

    refused = []
    with Pipe() as pipe:
        writer = threading.Thread(target=fill, args=[pipe])
        writer.start()
        with pytest.raises(DataError, match="longer than 65,536 bytes"):
            list(read_chunks(10, 65_536))
        sys.stdin.close()
        writer.join()
        pipe.close()
    assert refused


def test_no_standard_input_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="closed"):
        next(read_chunks(10, 100))


@pytest.mark.parametrize("limit", [0, -5])
def test_no_line_is_as_short_as_that(limit):
    with Pipe() as pipe:
        pipe.close()
        with pytest.raises(ConfigError, match="max_line_bytes"):
            list(read_chunks(10, limit))
