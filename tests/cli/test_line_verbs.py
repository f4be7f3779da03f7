"""Verbs that read lines: one line out for each line in, whatever it holds.

Authority: `wc -l`, and each line alone.
"""

import contextlib
import json
import os
import sys
import threading
import time

import pytest

from cli.test_processes import start
from pellucid import garden
from pellucid.cli.main import main

DATA = 3
ODD = [
    "",
    " ",
    "\t",
    "\u2028",
    "\x85\x0b\x0c\x1c",
    "\ufeff",
    "\u200b",
    "dog\u2028cat\x85sleeps",
    "dog\rcat",
    "dog\x0bcat\x0cThe\x1d",
    "a\u0301\u202e狗 😀",
    "dog " * 200,
    "The dog sleeps .",
]
VERBS = {
    "classify": (lambda line: line, []),
    "tag": (lambda line: line, []),
    "similarity": (lambda line: f"{line}\tcat" if line.strip() else line, []),
    "answer": (lambda line: f"{line}\t{line} sleeps" if line.strip() else line, []),
    "fill": (lambda line: f"{line[:50]} [MASK]" if line.strip() else line, []),
    "generate": (lambda line: line[:50], ["--max-length", "3"]),
    "summarize": (lambda line: line, ["--max-length", "3"]),
}


@pytest.fixture
def model_of(ready, writers):
    """model_of(verb) -> a directory."""
    of = {"fill": writers.filler, "generate": writers.model, "summarize": ready.run}
    of |= {"similarity": writers.filler, "tag": writers.tagger}
    of |= {"classify": ready.run.parent / "classifier", "answer": ready.run.parent / "answerer"}
    return of.__getitem__


@pytest.fixture
def run(model_of, tmp_path, monkeypatch, capsys):
    """run(verb, bytes of standard input, more flags) -> exit code, lines out, standard error."""

    def call(verb, data, *flags):
        path = tmp_path / "input"
        path.write_bytes(data)
        with open(path) as file:
            monkeypatch.setattr(sys, "stdin", file)
            capsys.readouterr()
            code = main([verb, str(model_of(verb)), *VERBS[verb][1], *flags])
        out, err = capsys.readouterr()
        assert out.endswith("\n") or not out
        return code, out.split("\n")[:-1], err

    return call


def assert_equal(actual, expected):
    """Fields are equal, numbers up to a unit of the last digit, at which they are rounded."""
    for fields in zip(actual.split("\t"), expected.split("\t"), strict=True):
        try:
            assert abs(float(fields[0]) - float(fields[1])) < 1.01e-4
        except ValueError:
            assert fields[0] == fields[1]


@pytest.mark.parametrize("verb", VERBS)
def test_a_line_for_each_odd_line(verb, run):
    lines = list(map(VERBS[verb][0], ODD))
    data = "\n".join(lines).encode()  # the last line does not end
    code, out, err = run(verb, data)
    assert (code, len(out)) == (0, len(lines)), err
    for line, expected in zip(lines, out, strict=True):
        alone = f"\n{line}\n".encode()  # after a line, as a mark would begin the input
        _, (_, actual), _ = run(verb, alone)
        assert_equal(actual, expected)
    code, records, _ = run(verb, data, "--jsonl")
    assert (code, len(records)) == (0, len(lines))
    assert all(isinstance(json.loads(record), dict) for record in records)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "n", [50, pytest.param(1000, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])]
)
def test_neighbors_change_no_line(verb, n, run):  # D2
    texts = [" ".join(pair) for pair in garden.pairs(n, "en", "zh", split="test")]
    lines = [VERBS[verb][0](text) for text in texts]
    expected = run(verb, "\n".join(lines).encode())[1]
    third = sorted(range(n), key=lambda i: len(lines[i]))[: n // 3]  # the longest are not there
    actual = run(verb, "\n".join(lines[i] for i in third).encode())[1]
    for i, line in zip(third, actual, strict=True):
        assert_equal(line, expected[i])


BAD = {
    "not UTF-8": b"dog\xff",
    "UTF-8 cut": b"dog \xe6\x88",
    "NUL": b"dog\0",
    "too long": b"dog " * 2_500_000,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_line_costs_no_line_before_it(verb, fault, run):
    good = VERBS[verb][0]("The dog").encode()
    code, out, err = run(verb, b"\n\n".join([good, good, BAD[fault], good]))
    assert (code, len(out)) == (DATA, 4)
    assert out[0] == out[2]
    assert err.startswith("pellucid: standard input:5:")
    assert err.count("\n") == 1


@pytest.mark.campaign
@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_that_has_enough(verb, model_of):
    """`| head -1`: quiet, and 141 as of a process that SIGPIPE killed."""
    line = VERBS[verb][0]("The dog sleeps.").encode() + b"\n"
    with start(verb, model_of(verb), *VERBS[verb][1]) as process:
        feeder = threading.Thread(target=feed, args=(process, line, 100_000))
        feeder.start()
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141
        feeder.join()


def feed(process, line, n):
    """Write lines in pieces that do not end with them."""
    data = line * n
    with contextlib.suppress(BrokenPipeError):
        for i in range(0, len(data), 10_007):
            os.write(process.stdin.fileno(), data[i : i + 10_007])
    process.stdin.close()


@pytest.mark.campaign
@pytest.mark.parametrize("verb", VERBS)
def test_constant_memory_for_a_slow_reader(verb, model_of):
    """C5: 100,000 lines, and no more memory at the end than early on."""
    total, often = 100_000, 20_000
    line = VERBS[verb][0]("The dog sleeps.").encode() + b"\n"
    sizes, began = [], time.monotonic()
    with start(verb, model_of(verb), *VERBS[verb][1]) as process:
        feeder = threading.Thread(target=feed, args=(process, line, total))
        feeder.start()
        outputs = set()
        for count, output in enumerate(process.stdout, 1):
            outputs.add(output)
            if count % 1000 == 0:
                time.sleep(0.01)
            if count % often == 0 and count < total:
                with open(f"/proc/{process.pid}/statm") as statm:
                    sizes.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        feeder.join()
        assert (process.wait(60), count, len(outputs)) == (0, total, 1)
    spent = time.monotonic() - began
    print(f"{verb}: {total:,} lines in {spent:.0f} s, MiB: {[size >> 20 for size in sizes]}")
    assert sizes[-1] - sizes[0] < 20 << 20
