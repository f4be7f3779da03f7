"""Tokenizers whose ids come from a vocabulary of their own, not from what cuts the text."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from pellucid.errors import UsageError
from pellucid.files import atomic_write
from pellucid.text.guard import guarded
from pellucid.text.template import Template
from pellucid.text.tokenizer import Encoding, Tokenizer


@dataclass(frozen=True, kw_only=True)
class Numbering:
    """What a vocabulary of its own decides."""

    vocab: Mapping[str, int]
    named: Callable[[str], str]
    """The vocabulary's name of a piece of the library."""
    joined: Callable[[list[str]], str]
    """The text of the vocabulary's pieces."""
    template: Template
    files: Mapping[str, bytes]
    """The files it was read from: no single file of the library's can say all this."""


class Renumbered(Tokenizer):
    """The library cuts, the vocabulary numbers; a piece that it lacks is unknown."""

    def __init__(
        self, library: tokenizers.Tokenizer, roles: dict[str, str], kind: str, by: Numbering
    ) -> None:
        """`roles` must have "unk". Raises: DataError if one is not in the vocabulary."""
        super().__init__(library, {}, kind)
        self._take(by.vocab, roles)
        self.template = by.template
        self._by = by
        self._piece = {i: piece for piece, i in by.vocab.items()}

    def encode(self, text: str) -> Encoding:
        found = self._library.encode(guarded(text), add_special_tokens=False)
        ids = self._numbers(found.tokens)
        return Encoding(ids, self.pieces(ids), found.offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        clean = [guarded(text) for text in texts]
        # Not encode_batch_fast: it leaves the pieces out.
        found = self._library.encode_batch(clean, add_special_tokens=False)
        return [self._numbers(each.tokens) for each in found]

    def decode(self, ids: Sequence[int]) -> str:
        special = set(self.roles.values())
        plain = [i for i in self._checked(ids) if i not in special]
        return self._by.joined([self._piece[i] for i in plain])

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [self._piece[i] for i in self._checked(ids)]

    def with_template(self, single: Sequence[str], pair: Sequence[str]) -> Tokenizer:
        """Raises: UsageError: the files of such a tokenizer cannot say another template."""
        raise UsageError(
            "this tokenizer's files fix the special tokens around a text, so it cannot be used with"
            " others. Use a tokenizer.json."
        )

    def to_json(self) -> str:
        told = {"tokenizer": json.loads(super().to_json()), "vocab": dict(self._by.vocab)}
        return json.dumps(told, ensure_ascii=False)

    def save(self, directory: Path, name: str = "tokenizer") -> None:
        """Write the files that it was opened from, under their own names."""
        for file, data in self._by.files.items():
            atomic_write(Path(directory) / file, data)

    def _numbers(self, pieces: list[str]) -> list[int]:
        unk, vocab, named = self.roles["unk"], self._by.vocab, self._by.named
        # An unknown run of the library's is its own text here, and the vocabulary may have that.
        return [vocab.get(named(piece), unk) for piece in pieces]


class Addressed(Renumbered):
    """A text may begin with the language it is for: ">>fr<< How are you?"."""

    def encode(self, text: str) -> Encoding:
        code, rest = _address(text)
        found = super().encode(rest)
        if not code:
            return found
        ids = [self._by.vocab.get(code, self.roles["unk"]), *found.ids]
        moved = [(start + len(code), end + len(code)) for start, end in found.offsets]
        return Encoding(ids, self.pieces(ids), [(0, len(code)), *moved])

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        cut = [_address(text) for text in texts]
        found = super().encode_batch([rest for _, rest in cut])
        unk, vocab = self.roles["unk"], self._by.vocab
        return [
            [vocab.get(code, unk), *ids] if code else ids
            for (code, _), ids in zip(cut, found, strict=True)
        ]


def _address(text: str) -> tuple[str, str]:
    end = text.find("<<") + 2 if text.startswith(">>") else 0
    return (text[:end], text[end:]) if end > 2 else ("", text)
