"""Vocabulary files: vocab.txt, vocab.json, merges.txt."""

from pathlib import Path

from pellucid.errors import VerificationError
from pellucid.manifest import read_json, read_text
from pellucid.text.tokenizer import LARGEST

BROKEN = "The file is damaged: get it anew."


def read_lines(path: Path) -> dict[str, int]:
    """vocab.txt: a piece a line, numbered from 0. Raises: DataError, VerificationError."""
    lines = (line.rstrip() for line in read_text(path, LARGEST).split("\n"))
    return {piece: i for i, piece in enumerate(lines) if piece}


def read_vocab(path: Path) -> dict[str, int]:
    """vocab.json: piece to id. Raises: DataError, VerificationError."""
    found = read_json(path, limit=LARGEST)
    if not isinstance(found, dict) or not found:
        raise VerificationError(f"{path} is not a table of pieces. {BROKEN}")
    for piece, i in found.items():
        if type(i) is not int or i < 0:
            raise VerificationError(f"{path}: the id of {piece[:40]!r} is {str(i)[:40]}. {BROKEN}")
    if len(set(found.values())) != len(found):
        raise VerificationError(f"{path} gives one id to two pieces. {BROKEN}")
    return found


def read_merges(path: Path) -> list[tuple[str, str]]:
    """merges.txt: two pieces a line. Raises: DataError; VerificationError naming the line."""
    merges = []
    for number, line in enumerate(read_text(path, LARGEST).split("\n"), 1):
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
