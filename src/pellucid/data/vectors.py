"""Vectors of words that were learned elsewhere, from text files of word2vec and GloVe."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, takewhile
from typing import NamedTuple

import numpy as np

from pellucid.data.lines import scan_lines
from pellucid.errors import DataError

LONGEST = 1 << 20  # bytes of a line: 65,536 numbers of 16 characters
LARGEST = float(np.finfo(np.float32).max)
HEADER = re.compile(r"(\d{1,12}) (\d{1,12})")
NO_TEXT = ("not UTF-8", "NUL", "too long", "encoding")


class Vectors(NamedTuple):
    """What some rows of an embedding begin as."""

    rows: np.ndarray  # (N,)
    values: np.ndarray  # (N, E), float32


class _Opened(NamedTuple):
    promised: int | None  # words, by a header
    width: int
    lines: Iterator[tuple[int, str]]  # number and text, a word each


def check_width(path: str, width: int) -> None:
    """Whether the file's vectors have `width` numbers, as its first line tells.

    Raises: DataError if not, or if it is no file of vectors.
    """
    found = _opened(path).width
    if found != width:
        raise DataError(
            f"{path}:1: its vectors have {found} numbers, the embedding {width}. Use vectors of"
            f" {width}, or a model of that width: model.d_model={found}."
        )


def read_vectors(path: str, wanted: Mapping[str, int], width: int) -> Vectors:
    """The vectors of those `wanted` words (each with its row) that the file has.

    A line holds a word and `width` numbers, a space before each; a first line "N D" may say how
    many words and numbers there are, as word2vec does. The numbers are taken from the right, since
    a word may hold spaces (GloVe 840B). One pass, in memory for the wanted words: the numbers of
    others are counted, not read.
    Raises: DataError naming file and line at a row of another width, a number that is none or is
    not finite, a wanted word that stands twice, a file that is empty, cut off or has none of them.
    """
    check_width(path, width)
    promised, _, lines = _opened(path)
    found: dict[int, np.ndarray] = {}
    count = 0
    for number, text in lines:
        count += 1
        word, *fields = text.rsplit(" ", width)
        where = f"{path}:{number}"
        _check_row(where, word, fields, width)
        row = wanted.get(word)
        if row is None:
            continue
        if row in found:
            raise DataError(f"{where}: {word!r} stands here again. Keep one of its vectors.")
        found[row] = _parsed(where, word, fields)
    if promised not in (None, count):
        raise DataError(
            f"{path}: line 1 promises {promised:,} words, and there are {count:,}: it is cut off,"
            " or joined of several. Get it anew, or mend line 1."
        )
    if not found:
        raise DataError(
            f"{path} has none of the vocabulary's {len(wanted):,} whole words. Is it of another"
            " language, or of another case (tokenizer.lowercase)?"
        )
    rows = np.fromiter(found, np.int64)
    return Vectors(rows, np.stack([found[row] for row in rows.tolist()]))


def _opened(path: str) -> _Opened:
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path} is empty. Give a text file of word2vec or GloVe.")
    header = HEADER.fullmatch(first[1])
    if header:
        return _Opened(int(header[1]), int(header[2]), lines)
    fields = first[1].split(" ")
    width = len(list(takewhile(_is_number, reversed(fields[1:]))))
    if not width:
        raise DataError(
            f"{path}:1: {first[1][:40]!r} is no word with numbers behind it, a space before each."
            " Give a text file of word2vec or GloVe."
        )
    return _Opened(None, width, chain([first], lines))


def _lines(path: str) -> Iterator[tuple[int, str]]:
    for line in scan_lines(path, LONGEST):
        if line.fault:
            binary = " If these are binary vectors, write them as text first."
            raise DataError(f"{line.fault}{binary if line.fault.kind in NO_TEXT else ''}")
        yield line.number, line.text.rstrip(" ")  # word2vec ends each line with one


def _check_row(where: str, word: str, fields: Sequence[str], width: int) -> None:
    """Raises: DataError at too few or too many numbers."""
    if len(fields) < width:
        raise DataError(
            f"{where}: {len(fields)} fields behind the word {word[:40]!r} instead of {width}. The"
            " file is cut off or damaged here: get it anew, or remove the line."
        )
    _, space, last = word.rpartition(" ")
    if space and _is_number(last):
        raise DataError(
            f"{where}: more than {width} numbers behind {word[:40]!r}. Is this two files joined, or"
            " a line break lost? Get it anew, or remove the line."
        )


def _parsed(where: str, word: str, fields: Sequence[str]) -> np.ndarray:
    try:
        values = np.array([float(field) for field in fields])  # (E,)
    except ValueError as error:
        raise DataError(
            f"{where}: in the vector of {word[:40]!r}, {str(error)[:80]}. Mend or remove the line."
        ) from error
    if not (np.abs(values) <= LARGEST).all():
        raise DataError(
            f"{where}: the vector of {word[:40]!r} holds a number that is not finite in float32."
            " Mend or remove the line."
        )
    return values.astype(np.float32)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
