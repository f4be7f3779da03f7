"""Vectors from text files.  Authority: NumPy reading the same lines by hand, and the lines."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pellucid.data.vectors import check_width, read_vectors
from pellucid.errors import DataError

# GloVe's first words, words with spaces as in its 840B, Unicode's own spaces, a number, a sign.
LINES = [
    ", 0.25 -1.5 3e-2",
    "the 1 2 3",
    ". . . -0.5 0.125 7",
    "at name@domain.com 0.1 0.2 0.3",
    "New\u00a0York 9 8 7",
    "1999 -1 -2 -3",
    "<unk> 5 5 5",
    "\u0085 4 4 4",
    "Straße 1e-40 -0.0 123456.789",
]
WORDS = {", ".strip(): 4, ". . .": 0, "at name@domain.com": 9, "New\u00a0York": 3, "1999": 7}
WANTED = {**WORDS, "Straße": 2, "absent": 5, ".": 6}


def written(path: Path, lines: list[str], head: str = "", end: str = "\n") -> str:
    text = "".join(line + end for line in ([head] if head else []) + lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


@pytest.mark.parametrize("name", ["glove.txt", "glove.txt.gz"])
@pytest.mark.parametrize("head", ["", f"{len(LINES)} 3"])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_wanted_words_have_the_files_numbers(tmp_path, name, head, end):
    path = written(tmp_path / name, LINES, head, end)
    check_width(path, 3)
    rows, values = read_vectors(path, WANTED, 3)
    by_hand = {}
    for line in LINES:
        fields = line.split(" ")
        by_hand[" ".join(fields[:-3])] = np.array(fields[-3:], dtype=np.float32)
    expected = {row: by_hand[word] for word, row in WANTED.items() if word in by_hand}
    assert len(expected) == 6
    assert values.dtype == np.float32
    assert sorted(rows.tolist()) == sorted(expected)
    for row, vector in zip(rows.tolist(), values, strict=True):
        assert np.array_equal(vector, expected[row])


FAULTS = {
    "ragged": (["a 1 2 3", "b 1 2", "c 1 2 3"], r":2: 2 fields after the word 'b' instead of 3"),
    "blank": (["a 1 2 3", "", "c 1 2 3"], r":2: 0 fields after"),
    "cut off": (["a 1 2 3", "c 1"], r":2: 1 fields .* download it again"),
    "too many": (["a 1 2 3", "c 1 2 3 4"], r":2: more than 3 numbers after 'c 1'"),
    "no number": (["a 1 2 3", "c 1 x 3"], r":2: in the vector of 'c', could not convert .* 'x'"),
    "nan": (["a 1 2 3", "c 1 nan 3"], r":2: the vector of 'c' holds a number that is not finite"),
    "inf": (["c -inf 1 3"], r":1: the vector of 'c' .* not finite"),
    "float64": (["c 1 1e39 3"], r":1: the vector of 'c' .* not finite in float32"),
    "twice": (["c 1 2 3", "a 1 2 3", "c 4 5 6"], r":3: 'c' appears again"),
    "empty": ([], r" is empty"),
    "prose": (["this is no vector"], r":1: 'this is no vector' is not a word followed by numbers"),
    "wide": (["a 1 2 3 4"], r":1: its vectors have 4 numbers, the embedding 3.*model.d_model=4"),
    "narrow": (["a 1 2"], r":1: its vectors have 2 numbers, the embedding 3"),
    "narrow by header": (["2 2", "a 1 2", "c 1 2"], r":1: its vectors have 2 numbers"),
    "header lies": (["3 3", "a 1 2 3", "c 1 2 3"], r"line 1 promises 3 words, and there are 2"),
    "more": (["1 3", "a 1 2 3", "c 1 2 3"], r"line 1 promises 1 words, and there are 2"),
    "nothing": (["a 1 2 3", "b 1 2 3"], r"none of the vocabulary's 1 whole words.*lowercase"),
    "header alone": (["0 3"], r"none of the vocabulary's"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_file_and_line(tmp_path, fault):
    lines, message = FAULTS[fault]
    path = written(tmp_path / "v.txt", lines)
    with pytest.raises(DataError, match=f"v.txt.*{message}"):
        read_vectors(path, {"c": 0}, 3)


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "v.bin"
    path.write_bytes(b"1 3\nc " + np.array([1, -2.5, 3], np.float32).tobytes() + b"\n")
    with pytest.raises(DataError, match=r"v\.bin:2:.*binary vectors, write them as text"):
        read_vectors(str(path), {"c": 0}, 3)
    whole = gzip.compress(b"c 1 2 3\n" * 1000)
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.gz:.*gzip"):
        read_vectors(str(tmp_path / "cut.gz"), {"d": 0}, 3)
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        check_width(str(tmp_path / "none.txt"), 3)


def test_unused_words_may_occur_twice_and_take_no_memory(tmp_path):
    """Authority: the bytes of the file, many times the memory that reading it takes."""
    import tracemalloc

    path = tmp_path / "large.txt"
    line = "word{} " + " ".join(["0.123456789"] * 50) + "\n"
    with path.open("w") as file:
        file.writelines(line.format(i // 2) for i in range(20_000))
        file.write("c" + " 1" * 50 + "\n")
    tracemalloc.start()
    rows, values = read_vectors(str(path), {"c": 8}, 50)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows.tolist() == [8]
    assert np.array_equal(values, np.ones((1, 50), np.float32))
    assert path.stat().st_size > 10e6
    assert most < 1e6
