"""Pieces as readable text."""

# Byte-level BPE writes each byte as a printable character: a printable byte of Latin-1 as itself,
# the others as characters from U+0100 on.  Source: GPT-2's vocabulary.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in set(_PRINTABLE)]
BYTE_OF = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(0x100 + rank): byte for rank, byte in enumerate(_OTHERS)
}


def display(piece: str, kind: str) -> str:
    """Return the readable text of a piece; bytes of an incomplete character are in hex."""
    return DISPLAYS[kind](piece) if kind in DISPLAYS else piece


def _bytes(piece: str) -> str:
    if any(c not in BYTE_OF for c in piece):
        return piece  # a special token of another vocabulary
    data = bytes(BYTE_OF[c] for c in piece)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "⟨" + data.hex(" ").upper() + "⟩"


def _word_end(piece: str) -> str:
    return piece.removesuffix("</w>") + " " if piece.endswith("</w>") else piece


def _word_start(piece: str) -> str:
    return piece.removeprefix("##") if piece.startswith("##") else " " + piece


def _cut_word(piece: str) -> str:
    return piece.removesuffix("@@") if piece.endswith("@@") else piece + " "


DISPLAYS = {
    "byte-bpe": _bytes,
    "bpe": _word_end,
    "cut-bpe": _cut_word,
    "unigram": lambda piece: piece.replace("▁", " "),
    "wordpiece": _word_start,
    "word": lambda piece: " " + piece,
}
