"""All lines before one with an error are processed.  Authority: brute force, line by line."""

import json

import pytest

from pellucid.cli.process_input import ChunkOutput, process_chunk, write_outputs
from pellucid.cli.stream import Chunk
from pellucid.errors import DataError, PellucidError, ResourceError, UsageError

DATA = 3


def shout(chunk):
    for line in chunk.lines:
        if line == "bad":
            raise UsageError("it is bad. Leave it out.")
        if line == "broken":
            raise ZeroDivisionError
    lines = [f"{number} {line}\n" for number, line in enumerate(chunk.lines, chunk.first)]
    return ChunkOutput("".join(lines), sum(line == "long" for line in chunk.lines))


@pytest.mark.parametrize("n", range(1, 8))
def test_all_lines_before_the_one_at_fault(n):
    for place in range(n):
        lines = ["long" if i % 2 else "fine" for i in range(n)]
        whole = shout(Chunk(9, lines))
        assert process_chunk(shout, Chunk(9, lines)) == whole
        lines[place] = "bad"
        part = process_chunk(shout, Chunk(9, lines))
        before = shout(Chunk(9, lines[:place]))
        assert part[:2] == before[:2]
        assert isinstance(part.error, DataError)
        assert str(part.error) == f"standard input:{10 + place}: it is bad. Leave it out."
        lines[place] = "broken"
        part = process_chunk(shout, Chunk(9, lines))
        assert part[:2] == before[:2]
        assert type(part.error) is PellucidError
        assert f"standard input:{10 + place}: internal error" in str(part.error)


def test_no_line_is_at_fault_where_memory_ends():
    def run_out_of_memory(chunk):
        raise MemoryError

    with pytest.raises(ResourceError):
        process_chunk(run_out_of_memory, Chunk(0, ["a", "b"]))


def test_what_is_done_is_written_before_the_fault(capsys):
    parts = [ChunkOutput("a\n", 1), ChunkOutput("b\n", 2, DataError("here")), ChunkOutput("c\n")]
    with pytest.raises(DataError, match="here"):
        write_outputs(parts)
    assert capsys.readouterr().out == "a\nb\n"
    assert write_outputs(parts[:1]) == 1


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("bad", [b"caf\xe9\n", b"x" * 200 + b"\n"])
def test_lines_before_a_bad_one_are_translated(workers, bad, pellucid, ready):
    text = b"The dog sleeps.\n" * 600 + bad + b"A cat.\n"
    args = ("--workers", workers, "--max-length", "3", "--beam", "1", "--max-line-bytes", "150")
    done = pellucid("translate", ready.run, *args, stdin=text)
    assert (done.code, done.out.count("\n")) == (DATA, 600)
    assert "standard input:601:" in done.err


def test_lines_before_a_long_prompt_are_written(pellucid, writers):
    text = b"The dog\nA\n" + b"The old dog sleeps. " * 30 + b"\nB\n"
    for args in ((), ("--stream", "--beam", "1"), ("--draft", writers.second)):
        done = pellucid("generate", writers.model, "--max-length", "5", *args, stdin=text)
        assert (done.code, done.out.count("\n")) == (DATA, 2)
        assert "standard input:3: the prompt 'The old dog" in done.err
        assert "this model reads 64" in done.err


def test_a_text_that_is_cut_is_reported(pellucid, writers):
    text = b"The dog\n" + b"The old dog sleeps. " * 30 + b"\n"
    done = pellucid("embed", writers.filler, stdin=text)
    assert (done.code, done.out.count("\n")) == (0, 2)
    assert done.err == "1 line was longer than this model reads; cut at the end\n"
    assert len(json.loads(done.out.split("\n")[0])) == 16
