"""Vocabulary files: vocab.txt, vocab.json, merges.txt."""

from pathlib import Path

from pellucid.errors import VerificationError
from pellucid.json_files import read_json, read_text
from pellucid.text.library import MAX_FILE_BYTES

BROKEN = "The file is damaged: download it again."
WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space; str.strip() removes more characters."""


def read_lines(path: Path) -> dict[str, int]:
    """Read a vocab.txt: one piece per line; the line number, from 0, is its id.

    White space at the end of a line is removed unless the line has nothing else: BERT's Chinese
    vocabulary has U+2028 as a piece. A blank line, or a piece that occurs again later, leaves an id
    without a piece. Raises: DataError, VerificationError.
    """
    lines = read_text(path, MAX_FILE_BYTES).removesuffix("\n").split("\n")
    pieces = (line.rstrip(WHITE_SPACE) or line.removesuffix("\r") for line in lines)
    return {piece: i for i, piece in enumerate(pieces) if piece}


def read_vocab(path: Path) -> dict[str, int]:
    """Read a vocab.json: piece -> id. Raises: DataError, VerificationError."""
    vocab = read_json(path, limit=MAX_FILE_BYTES)
    if not isinstance(vocab, dict) or not vocab:
        raise VerificationError(f"{path} is not a table of pieces. {BROKEN}")
    for piece, i in vocab.items():
        if type(i) is not int or i < 0:
            raise VerificationError(f"{path}: the id of {piece[:40]!r} is {str(i)[:40]}. {BROKEN}")
    if len(set(vocab.values())) != len(vocab):
        raise VerificationError(f"{path} gives one id to two pieces. {BROKEN}")
    return vocab


def read_merges(path: Path) -> list[tuple[str, str]]:
    """Read a merges.txt: two pieces per line. Raises: DataError, VerificationError."""
    merges = []
    for number, line in enumerate(read_text(path, MAX_FILE_BYTES).split("\n"), 1):
        plain = line.removesuffix("\r")
        if not plain or (number == 1 and plain.startswith("#version")):
            continue
        left, _, right = plain.partition(" ")
        if not left or not right or " " in right:
            raise VerificationError(
                f"{path}, line {number}: {plain[:40]!r} is not two pieces with a space between."
                f" {BROKEN}"
            )
        merges.append((left, right))
    return merges
