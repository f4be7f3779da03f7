"""Word vectors from text files in word2vec and GloVe format."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, takewhile
from typing import NamedTuple

import numpy as np

from pellucid.data.lines import scan_lines
from pellucid.errors import DataError

MAX_LINE_BYTES = 1 << 20  # bytes of a line: 65,536 numbers of 16 characters
LARGEST = float(np.finfo(np.float32).max)
HEADER = re.compile(r"(\d{1,12}) (\d{1,12})")
NO_TEXT = ("not UTF-8", "NUL", "too long", "encoding")


class Vectors(NamedTuple):
    """Initial values of some rows of an embedding."""

    rows: np.ndarray  # (N,)
    values: np.ndarray  # (N, E), float32


class _File(NamedTuple):
    n_words: int | None  # words, by a header
    width: int
    lines: Iterator[tuple[int, str]]  # number and text, a word each


def check_width(path: str, width: int, setting: str = "model.d_model") -> None:
    """Check that the vectors have `width` numbers, by the first line of the file.

    setting: the name of the setting that is the width.
    Raises: DataError if not, or if it is not a file of vectors.
    """
    actual = _open(path).width
    if actual != width:
        raise DataError(
            f"{path}:1: its vectors have {actual} numbers, the embedding {width}. Use vectors of"
            f" {width}, or a model of that width: {setting}={actual}."
        )


def read_vectors(path: str, rows: Mapping[str, int], width: int) -> Vectors:
    """Return the vectors that the file has for these words.

    rows: the embedding row of each word.

    A line holds a word and `width` numbers, a space before each; a first line "N D" may say how
    many words and numbers there are, as word2vec does. The numbers are taken from the right, since
    a word may hold spaces (GloVe 840B). One pass, in memory for these words: the numbers of
    others are counted, not read.
    Raises: DataError naming file and line at a row of another width, a number that is none or is
    not finite, a word of these that appears twice, a file that is empty, cut off, or has none.
    """
    check_width(path, width)
    vectors: dict[int, np.ndarray] = {}
    for where, word, fields in _scan(path):
        row = rows.get(word)
        if row is None:
            continue
        if row in vectors:
            raise DataError(f"{where}: {word!r} appears again. Keep one of its vectors.")
        vectors[row] = _parse(where, word, fields)
    if not vectors:
        raise DataError(
            f"{path} has none of the vocabulary's {len(rows):,} whole words. Is it of another"
            " language, or of another case (tokenizer.lowercase)?"
        )
    indices = np.fromiter(vectors, np.int64)
    return Vectors(indices, np.stack([vectors[row] for row in indices.tolist()]))


def read_all_vectors(path: str) -> tuple[list[str], np.ndarray]:
    """Return all words of a file, and their vectors (W, E) in float32.

    Raises: DataError as `read_vectors`.
    """
    vectors: dict[str, np.ndarray] = {}
    for where, word, fields in _scan(path):
        if word in vectors:
            raise DataError(f"{where}: {word!r} appears again. Keep one of its vectors.")
        vectors[word] = _parse(where, word, fields)
    if not vectors:
        raise DataError(f"{path} has no vectors. Give a text file of word2vec or GloVe.")
    return list(vectors), np.stack(list(vectors.values()))


def _scan(path: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the position, word and numbers of each line.

    Raises: DataError at a line of another width, or if a header counts other words.
    """
    n_words, width, lines = _open(path)
    count = 0
    for number, text in lines:
        count += 1
        word, *fields = text.rsplit(" ", width)
        where = f"{path}:{number}"
        _check_row(where, word, fields, width)
        yield where, word, fields
    if n_words not in (None, count):
        raise DataError(
            f"{path}: line 1 promises {n_words:,} words, and there are {count:,}: it is cut off,"
            " or several files joined. Download it again, or correct line 1."
        )


def _open(path: str) -> _File:
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path} is empty. Give a text file of word2vec or GloVe.")
    header = HEADER.fullmatch(first[1])
    if header:
        return _File(int(header[1]), int(header[2]), lines)
    fields = first[1].split(" ")
    width = len(list(takewhile(_is_number, reversed(fields[1:]))))
    if not width:
        raise DataError(
            f"{path}:1: {first[1][:40]!r} is not a word followed by numbers, a space before each."
            " Give a text file of word2vec or GloVe."
        )
    return _File(None, width, chain([first], lines))


def _lines(path: str) -> Iterator[tuple[int, str]]:
    for line in scan_lines(path, MAX_LINE_BYTES):
        if line.fault:
            binary = " If these are binary vectors, write them as text first."
            raise DataError(f"{line.fault}{binary if line.fault.kind in NO_TEXT else ''}")
        yield line.number, line.text.rstrip(" ")  # word2vec ends each line with one


def _check_row(where: str, word: str, fields: Sequence[str], width: int) -> None:
    """Raises: DataError at too few or too many numbers."""
    if len(fields) < width:
        raise DataError(
            f"{where}: {len(fields)} fields after the word {word[:40]!r} instead of {width}. The"
            " file is cut off or damaged here: download it again, or remove the line."
        )
    _, space, last = word.rpartition(" ")
    if space and _is_number(last):
        raise DataError(
            f"{where}: more than {width} numbers after {word[:40]!r}. Is this two files joined, or"
            " a line break lost? Download it again, or remove the line."
        )


def _parse(where: str, word: str, fields: Sequence[str]) -> np.ndarray:
    try:
        values = np.array([float(field) for field in fields])  # (E,)
    except ValueError as error:
        raise DataError(
            f"{where}: in the vector of {word[:40]!r}, {str(error)[:80]}. Fix the line."
        ) from error
    if not (np.abs(values) <= LARGEST).all():
        raise DataError(
            f"{where}: the vector of {word[:40]!r} holds a number that is not finite in float32."
            " Correct or remove the line."
        )
    return values.astype(np.float32)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
