"""Tokenizers that a tokenizer.json cannot express. They are saved as their original files."""

import copy
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tokenizers

from pellucid.errors import UsageError
from pellucid.files import atomic_write
from pellucid.json_files import dump_json
from pellucid.text.guard import clean_text
from pellucid.text.template import Template
from pellucid.text.tokenizer import Encoding, Strips, Tokenizer


@dataclass(frozen=True, kw_only=True)
class TokenizerFiles:
    """The contents of a published tokenizer's files."""

    vocab: Mapping[str, int]
    """The id of each piece, special tokens included."""
    roles: Mapping[str, str]
    """Role to token; "unk" is among them."""
    extra: Sequence[str] = ()
    """The special tokens without a role."""
    template: Template
    contents: Mapping[str, bytes]
    """The files themselves, by name."""
    strips: Mapping[str, Strips] = field(default_factory=dict)
    """On which sides of a special token spaces are removed; on none of others."""


class FileTokenizer(Tokenizer, ABC):
    """A tokenizer whose pieces come from the `tokenizers` library and whose ids from its files."""

    def __init__(self, library: tokenizers.Tokenizer, kind: str, files: TokenizerFiles) -> None:
        """Raises: DataError if the token of a role is not in the vocabulary."""
        super().__init__(library, {}, kind)
        self._set_vocab(files.vocab, files.roles)
        self.template = files.template
        self._files = files
        self._piece = {i: piece for piece, i in files.vocab.items()}
        self._special = {*self.roles.values(), *self.extra.values()}

    @property
    def extra(self) -> dict[str, int]:
        return {token: self._files.vocab[token] for token in self._files.extra}

    def read_strips(self, role: str) -> Strips:
        return self._files.strips.get(self._piece[self.id(role)], Strips(False, False))

    def decode(self, ids: Sequence[int]) -> str:
        plain = [i for i in self._check_ids(ids) if i not in self._special]
        return self._join([self._piece[i] for i in plain if i in self._piece])

    def with_template(self, single: Sequence[str], pair: Sequence[str]) -> Tokenizer:
        """Raises: UsageError, because these files cannot express another template."""
        raise UsageError(
            "this tokenizer's files fix the special tokens around a text, so it cannot be used with"
            " others. Use a tokenizer.json."
        )

    def to_json(self) -> str:
        contents = self._files.contents.items()
        return json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in contents})

    def save(self, directory: Path, name: str = "tokenizer") -> None:
        """Write the original files, under their own names."""
        for file, data in self._files.contents.items():
            atomic_write(Path(directory) / file, data)

    def with_language(self, current: str, code: str) -> "FileTokenizer":
        """Return a copy whose template has language token `code` in place of `current`."""
        new = copy.copy(self)
        new.template = self.template.replace(self.extra[current], self.extra[code])
        contents = dict(self._files.contents)
        config = json.loads(contents["tokenizer_config.json"]) | {"src_lang": code.strip("_")}
        contents["tokenizer_config.json"] = dump_json(config)
        new._files = replace(self._files, template=new.template, contents=contents)
        return new

    def _id_to_piece(self, i: int) -> str | None:
        return self._piece.get(i)

    @abstractmethod
    def _join(self, pieces: list[str]) -> str:
        """Return the text that these pieces of the vocabulary spell."""


class CTRLTokenizer(FileTokenizer):
    """The tokenizer of CTRL: `@@` marks every piece of a word except its last."""

    def __init__(self, library: tokenizers.Tokenizer, files: TokenizerFiles) -> None:
        super().__init__(library, "cut-bpe", files)

    def encode(self, text: str) -> Encoding:
        encoding = self._library.encode(clean_text(text), add_special_tokens=False)
        ids = self._ids(encoding.tokens)
        return Encoding(ids, self.pieces(ids), encoding.offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        clean = [clean_text(text) for text in texts]
        # Not encode_batch_fast: it leaves the pieces out.
        encodings = self._library.encode_batch(clean, add_special_tokens=False)
        return self._check_rows([self._ids(encoding.tokens) for encoding in encodings])

    def _ids(self, pieces: list[str]) -> list[int]:
        return [self._files.vocab.get(to_vocab_piece(piece), self.roles["unk"]) for piece in pieces]

    def _join(self, pieces: list[str]) -> str:
        return " ".join(pieces).replace("@@ ", "")


def to_vocab_piece(piece: str) -> str:
    """Return the vocabulary's spelling of a library piece: th -> th@@, the</w> -> the."""
    return piece.removesuffix("</w>") if piece.endswith("</w>") else piece + "@@"


def to_library_piece(piece: str) -> str:
    """Return the library's spelling of a vocabulary piece: th@@ -> th, the -> the</w>."""
    return piece.removesuffix("@@") if piece.endswith("@@") else piece + "</w>"
