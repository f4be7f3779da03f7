"""Read SentencePiece .model files: the pieces, and the settings on which ids depend.

The file is a protobuf message. Field numbers and defaults are those of sentencepiece_model.proto.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pellucid.errors import DataError, VerificationError
from pellucid.text.published.charsmap import read_charsmap

MAX_FILE_BYTES = 1 << 26  # ten times the largest published .model
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # values of Piece.type
UNUSED = 5
UNIGRAM, BPE = 1, 2  # values of model_type
BROKEN = "The file is damaged or cut short: download it again."


class Piece(NamedTuple):
    """A piece of the vocabulary."""

    text: str
    score: float
    type: int

    @property
    def occurs_in_text(self) -> bool:
        """Whether the piece can occur in a text. Control pieces cannot."""
        return self.type in (NORMAL, USER_DEFINED)


@dataclass(frozen=True, kw_only=True)
class SentencePiece:
    """The contents of a .model file."""

    is_bpe: bool
    """Whether texts are split by byte-pair encoding, else by the unigram model."""
    pieces: tuple[Piece, ...]
    unk_id: int
    byte_fallback: bool
    charsmap: bytes
    """The precompiled map of Unicode normalisation; see `charsmap.py`."""
    dummy_prefix: bool
    """Whether a space is added before the text."""

    @property
    def user_defined(self) -> list[str]:
        """User-defined pieces, which are never split."""
        return [piece.text for piece in self.pieces if piece.type == USER_DEFINED]

    def compute_scores(self) -> list[float]:
        """Return the score of each piece in the Viterbi search; 0 for types without a score."""
        normal = [piece.score for piece in self.pieces if piece.type == NORMAL]
        lowest, highest = (min(normal), max(normal)) if normal else (0.0, 0.0)
        by_type = {
            NORMAL: lambda piece: piece.score,
            # SentencePiece's bonus, bounded by the lowest score: the score of unknown characters
            # is 10 below the lowest score of all pieces.
            USER_DEFINED: lambda piece: max(len(piece.text.encode()) * highest - 0.1, lowest),
        }
        return [by_type.get(piece.type, lambda _: 0.0)(piece) for piece in self.pieces]

    def compute_merges(self) -> list[tuple[str, str]]:
        """Return the pairs of pieces that make a piece, those of the best piece first."""
        texts = {piece.text for piece in self.pieces if piece.type == NORMAL}
        ranked = sorted(texts, key={p.text: -p.score for p in self.pieces}.__getitem__)
        pairs = ((text[:i], text[i:]) for text in ranked for i in range(1, len(text)))
        return [(left, right) for left, right in pairs if left in texts and right in texts]


def read_sentencepiece(path: Path) -> SentencePiece:
    """Read a .model. Raises: DataError if it is missing; VerificationError if it is invalid."""
    if not path.is_file():
        raise DataError(f"{path} is missing, or not a file. Check the name.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise VerificationError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes. {BROKEN}")
    try:
        fields = list(_fields(path.read_bytes()))
        pieces = tuple(_piece(_bytes(value)) for number, value in fields if number == 1)
        parts = dict(fields)
        trainer, normalizer = (dict(_fields(_bytes(parts[part]))) for part in (2, 3))
        model = SentencePiece(
            is_bpe=trainer.get(3, UNIGRAM) == BPE,
            pieces=pieces,
            unk_id=_int(trainer.get(40, 0)),
            byte_fallback=bool(trainer.get(35, 0)),
            charsmap=_bytes(normalizer.get(2, b"")),
            dummy_prefix=bool(normalizer.get(3, 1)),
        )
        if model.charsmap:
            read_charsmap(model.charsmap)
    except (IndexError, KeyError, ValueError, struct.error) as error:
        raise VerificationError(f"{path} is not a SentencePiece model. {BROKEN}") from error
    if model.unk_id >= len(pieces):
        raise VerificationError(f"{path} has no piece {model.unk_id}, its unknown one. {BROKEN}")
    _check(path, trainer, normalizer)
    if model.is_bpe and any(piece.type in (USER_DEFINED, UNUSED) for piece in pieces):
        raise VerificationError(
            f"{path} is a model of type bpe with pieces that are user-defined or not used, which"
            " is not supported here. Convert it to a tokenizer.json with the `tokenizers` library."
        )
    return model


def _check(path: Path, trainer: dict[int, int | bytes], normalizer: dict[int, int | bytes]) -> None:
    """Raises: VerificationError if a setting is not supported."""
    unsupported = {
        "a model_type other than unigram and bpe": trainer.get(3, UNIGRAM) not in (UNIGRAM, BPE),
        "treat_whitespace_as_suffix": bool(trainer.get(24, 0)),
        "remove_extra_whitespaces=false": not normalizer.get(4, 1),
        "escape_whitespaces=false": not normalizer.get(5, 1),
    }
    for setting, is_set in unsupported.items():
        if is_set:
            raise VerificationError(
                f"{path} was trained with {setting}, which is not supported here. Convert it to a"
                " tokenizer.json with the `tokenizers` library."
            )


def _piece(data: bytes) -> Piece:
    fields = dict(_fields(data))
    (score,) = struct.unpack("<f", _bytes(fields.get(2, bytes(4))))
    if not math.isfinite(score):
        raise ValueError("a score that is no number")
    return Piece(_bytes(fields.get(1, b"")).decode(), score, _int(fields.get(3, NORMAL)))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (number, value) of each field of a message. Raises: IndexError, ValueError."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, at = _varint(data, at)
            if size is None or at + size > len(data):
                raise ValueError(f"field {key >> 3} ends after the message")
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a protobuf varint at `at`; return its value and the index after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in place of bytes")
    return value


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("bytes in place of a number")
    return value
