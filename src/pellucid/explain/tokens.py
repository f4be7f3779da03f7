"""Tokens with the characters and bytes of the text that they stand for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.text.display import BYTE_OF, display
from pellucid.text.tokenizer import Tokenizer

BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Token:
    """One token that a model reads or writes."""

    id: int
    piece: str
    """As in the vocabulary."""
    display: str
    """Readable, with its spaces; bytes of an incomplete character in hex. Empty if special."""
    start: int | None = None
    """First character of the text that it stands for; None for a special token."""
    end: int | None = None
    """The character after its last one. Tokens that spell one character share both."""
    bytes: str = ""
    """In hex: its UTF-8 bytes; empty for a special token."""
    segment: int = 0
    """0 for the first text, 1 for the second of a pair."""
    unknown: bool = False

    @property
    def special(self) -> bool:
        """Whether the token stands for no characters of the text."""
        return self.start is None

    def moved(self, by: int) -> "Token":
        """Return the token in a text that begins `by` characters earlier."""
        if self.start is None or self.end is None:
            return self
        return replace(self, start=self.start + by, end=self.end + by)


def align_read(tokenizer: Tokenizer, text: str, segment: int = 0) -> list[Token]:
    """Return the tokens of a text, without those around it; mask tokens in the text are special.

    segment: 0 for the first text, 1 for the second of a pair.
    """
    mask = tokenizer.tokens.get("mask", "")
    strips = tokenizer.read_strips("mask") if mask else None
    parts = text.split(mask) if mask else [text]
    tokens, start = list[Token](), 0
    for n, part in enumerate(parts):
        if n:
            tokens.append(special_token(tokenizer, tokenizer.id("mask"), segment))
        is_last = n == len(parts) - 1
        read = part.lstrip() if n and strips and strips.after else part
        shift = start + len(part) - len(read)
        read = read.rstrip() if not is_last and strips and strips.before else read
        encoding = tokenizer.encode(read)
        tokens += [
            _describe(tokenizer, i, text, (first + shift, last + shift), segment)
            for i, (first, last) in zip(encoding.ids, encoding.offsets, strict=True)
        ]
        start += len(part) + len(mask)
    return tokens


def special_token(tokenizer: Tokenizer, i: int, segment: int = 0) -> Token:
    """Return a token that stands for no characters."""
    return Token(i, tokenizer.output_pieces([i])[0], "", segment=segment)


def align_written(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, list[Token]]:
    """Return the text of generated ids, and the tokens with the part that each has spelled.

    Tokens that spell a character together all have that character.
    """
    text = tokenizer.decode_output(ids)
    ends = [_common_length(tokenizer.decode_output(ids[: n + 1]), text) for n in range(len(ids))]
    special = {*tokenizer.roles.values(), *tokenizer.extra.values()} - {tokenizer.roles.get("unk")}
    tokens, start, waiting = list[Token](), 0, list[int]()
    for i, end in zip(ids, ends, strict=True):
        if i in special:
            tokens.append(special_token(tokenizer, i))
            continue
        waiting.append(len(tokens))
        tokens.append(_describe(tokenizer, i, text, (start, end)))
        if end > start:  # the character of all waiting tokens is complete
            for n in waiting:
                tokens[n] = _describe(tokenizer, tokens[n].id, text, (start, end))
            start, waiting = end, []
    return text, tokens


def _describe(
    tokenizer: Tokenizer, i: int, text: str, span: tuple[int, int], segment: int = 0
) -> Token:
    piece, start, end = tokenizer.output_pieces([i])[0], *span
    return Token(
        id=i,
        piece=piece,
        display=display(piece, tokenizer.kind),
        start=start,
        end=end,
        bytes=_bytes(tokenizer.kind, piece, text[start:end]).hex(),
        segment=segment,
        unknown=i == tokenizer.roles.get("unk"),
    )


def _common_length(a: str, b: str) -> int:
    """Return the number of characters at the beginning that both have."""
    differs = (x != y for x, y in zip(a, b, strict=False))
    return next((n for n, each in enumerate(differs) if each), min(len(a), len(b)))


def _bytes(kind: str, piece: str, characters: str) -> bytes:
    """Return the UTF-8 bytes of a token: those of its piece if it spells bytes."""
    if kind == "byte-bpe" and all(c in BYTE_OF for c in piece):
        return bytes(BYTE_OF[c] for c in piece)
    byte = BYTE_PIECE.fullmatch(piece)
    return bytes.fromhex(byte[1]) if byte else characters.encode()
