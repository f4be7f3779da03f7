"""A trained tokenizer, based on the `tokenizers` library."""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import tokenizers
from tokenizers import models

from pellucid.errors import DataError, UsageError, VerificationError
from pellucid.files import atomic_write
from pellucid.json_files import dump_json, read_json
from pellucid.text.display import DISPLAYS, display
from pellucid.text.guard import clean_text
from pellucid.text.library import hide_special_pieces, read_library, read_roles
from pellucid.text.template import Template, Wrapped, build_template_processor, read_template

ROLES = ("pad", "bos", "eos", "unk")
TOKENS = {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "unk": "<unk>"}


class Encoding(NamedTuple):
    """The pieces of a text."""

    ids: list[int]
    pieces: list[str]
    offsets: list[tuple[int, int]]  # characters of the text; for a byte, its character


class Strips(NamedTuple):
    """The sides of a special token on which spaces are removed (lstrip and rstrip)."""

    before: bool
    after: bool


class Tokenizer:
    """Convert text to ids and back. Special tokens come from `id`, never from text."""

    is_present = True
    _n_rows: int | None = None  # rows of the embedding, if the model has fewer than the vocabulary

    def __init__(self, library: tokenizers.Tokenizer, roles: dict[str, str], kind: str) -> None:
        """roles: role -> token. Raises: DataError if a token is not in the vocabulary."""
        # "</s>" in a user's text is four characters, not the end of the sentence.
        library.encode_special_tokens = True
        library.no_padding()
        library.no_truncation()
        self.kind = kind
        self.template = read_template(library.post_processor)
        self._set_vocab(library.get_vocab(with_added_tokens=True), roles)
        self._library = library
        self._written_model = library.model
        if isinstance(library.model, models.Unigram):
            library.model = hide_special_pieces(library)

    def id(self, role: str) -> int:
        """Return the id of a special token. Raises: UsageError naming the known roles."""
        if role not in self.roles:
            known = ", ".join(self.roles) or "none"
            raise UsageError(f"this tokenizer has no {role!r} token. Known roles: {known}.")
        return self.roles[role]

    def read_strips(self, role: str) -> "Strips":
        """Return on which sides of a special token spaces are removed from a text."""
        token = self._library.get_added_tokens_decoder().get(self.id(role))
        return Strips(token.lstrip, token.rstrip) if token else Strips(False, False)

    @property
    def extra(self) -> dict[str, int]:
        """The special tokens that have no role: sentinels, languages."""
        added = self._library.get_added_tokens_decoder()
        ids = set(self.roles.values())
        return {t.content: i for i, t in sorted(added.items()) if t.special and i not in ids}

    @property
    def whole_words(self) -> dict[str, int]:
        """The id of each piece that can be a whole word, by the word without marks.

        These are the pieces marked as the start or end of a word, or all pieces of a kind without
        such marks; never special tokens.
        """
        special = {*self.roles.values(), *self.extra.values()}
        ids = sorted(self._known_ids - special)
        words = {}
        for i, text in zip(ids, self.display(ids), strict=True):
            word = text.strip(" ")
            if word and len(text) == len(word) + (self.kind in DISPLAYS):  # the mark is a space
                words[word] = i
        return words

    def with_template(self, single: Sequence[str], pair: Sequence[str]) -> "Tokenizer":
        """Return a tokenizer with other special tokens around one text, and around two.

        single, pair: roles and texts in order, such as ("cls", "A", "sep").
        """
        library = tokenizers.Tokenizer.from_str(self.to_json())
        vocab = library.get_vocab(with_added_tokens=True)
        library.post_processor = build_template_processor(single, pair, self.tokens, vocab)
        return Tokenizer(library, self.tokens, self.kind)

    def limit_vocab(self, n_rows: int) -> Self:
        """Return a tokenizer that refuses texts with ids from `n_rows` on, the model's embeddings.

        Published models may have fewer rows than tokens, as facebook/bart-large-cnn lacks <mask>.
        """
        if self.vocab_size <= n_rows:
            return self
        bounded = copy.copy(self)
        bounded.__dict__.pop("pieces_by_id", None)
        bounded._n_rows = n_rows
        bounded._known_ids = frozenset(i for i in self._known_ids if i < n_rows)
        bounded.roles = {role: i for role, i in self.roles.items() if i < n_rows}
        return bounded

    @cached_property
    def pieces_by_id(self) -> dict[int, str]:
        """The whole vocabulary."""
        ids = sorted(self._known_ids)
        return dict(zip(ids, self.pieces(ids), strict=True))

    def encode(self, text: str) -> Encoding:
        """Return ids, pieces and offsets of a text, without special tokens."""
        encoding = self._library.encode(clean_text(text), add_special_tokens=False)
        # Not encoding.tokens: for an unknown character Unigram puts the character itself there.
        return Encoding(encoding.ids, self.pieces(encoding.ids), encoding.offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts; faster than repeated calls of `encode`."""
        clean = [clean_text(text) for text in texts]
        encodings = self._library.encode_batch_fast(clean, add_special_tokens=False)
        return self._check_rows([encoding.ids for encoding in encodings])

    def add_special_tokens(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> Wrapped:
        """Return the ids of one text or of two with the special tokens that the model expects."""
        return self.template.wrap(
            self._check_ids(ids), None if pair is None else self._check_ids(pair)
        )

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids without special tokens; invalid UTF-8 becomes U+FFFD.

        Raises: UsageError at an id that is not in the vocabulary.
        """
        return self._library.decode(self._check_ids(ids), skip_special_tokens=True)

    def normalize(self, text: str) -> str:
        """Return the text that `decode(encode(text).ids)` gives if no piece is unknown."""
        clean = clean_text(text)
        return self._library.normalizer.normalize_str(clean) if self._library.normalizer else clean

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the pieces of ids as in the vocabulary; an id without a piece gives "<1117>"."""
        pieces = [(i, self._id_to_piece(i)) for i in self._check_ids(ids)]
        return [f"<{i}>" if piece is None else piece for i, piece in pieces]

    def decode_output(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, without ids that have no piece."""
        return self.decode([i for i in ids if i in self._known_ids])

    def output_pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the pieces of generated ids, which may be beyond the vocabulary."""
        return [self.pieces([i])[0] if i in self._known_ids else f"<{i}>" for i in ids]

    def display(self, ids: Sequence[int]) -> list[str]:
        """Return the readable text of each id, with its spaces."""
        return [display(piece, self.kind) for piece in self.pieces(ids)]

    def to_json(self) -> str:
        """Return the contents of tokenizer.json: everything that affects the ids of a text."""
        library = self._library
        if isinstance(self._written_model, models.Unigram):
            library = tokenizers.Tokenizer.from_str(library.to_str())  # threads may be encoding
            library.model = self._written_model
        return library.to_str(pretty=True)

    def save(self, directory: Path, name: str = "tokenizer") -> None:
        """Write NAME.json and NAME_config.json, which `transformers` opens too."""
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **{f"{role}_token": token for role, token in self.tokens.items()},
            "model_input_names": self._input_names(),
            "clean_up_tokenization_spaces": False,
            "split_special_tokens": True,
            "kind": self.kind,
        }
        atomic_write(Path(directory) / f"{name}.json", self.to_json().encode())
        atomic_write(Path(directory) / f"{name}_config.json", dump_json(config))

    @classmethod
    def load(cls, directory: Path, name: str = "tokenizer") -> "Tokenizer":
        """Read a tokenizer that `save` or another tool wrote.

        Raises: DataError if a file is missing; VerificationError naming the damaged file.
        """
        path = Path(directory) / f"{name}.json"
        config_path = Path(directory) / f"{name}_config.json"
        library = read_library(path)
        config = read_json(config_path)
        roles = read_roles(config, config_path)
        kind = config.get("kind", "")
        try:
            return cls(library, roles, kind if isinstance(kind, str) else "")
        except DataError as error:
            raise VerificationError(f"{path}: {error} Copy the directory again.") from error

    def _input_names(self) -> list[str]:
        """Return the names of a model's inputs; with segments if the template has two."""
        names = ["input_ids", "attention_mask"]
        has_segments = self.template != Template() and any(s.segment for s in self.template.pair)
        return ["input_ids", "token_type_ids", "attention_mask"] if has_segments else names

    def _set_vocab(self, vocab: Mapping[str, int], roles: Mapping[str, str]) -> None:
        """Set the ids of roles and pieces from a vocabulary."""
        missing = sorted(token for token in roles.values() if token not in vocab)
        if missing or not vocab:
            raise DataError(f"the tokenizer's vocabulary lacks its special tokens {missing}.")
        self.vocab_size = max(vocab.values()) + 1
        self.tokens = dict(roles)
        self.roles = {role: vocab[token] for role, token in roles.items()}
        self._known_ids = frozenset(vocab.values())

    def _id_to_piece(self, i: int) -> str | None:
        return self._library.id_to_token(i)

    def _check_rows(self, batch: list[list[int]]) -> list[list[int]]:
        """Return the ids unchanged. Raises: UsageError if the model has no row for one of them."""
        if self._n_rows is not None:
            for ids in batch:
                self._check_ids(ids)
        return batch

    def _check_ids(self, ids: Sequence[int]) -> list[int]:
        plain = [int(i) for i in ids]
        for i in plain:
            if self._n_rows is not None and self._n_rows <= i < self.vocab_size:
                raise UsageError(
                    f"token {self._id_to_piece(i)!r} (id {i}) is known to the tokenizer, but the"
                    f" model has only {self._n_rows} rows. Leave it out of the text."
                )
            if not 0 <= i < self.vocab_size:
                raise UsageError(
                    f"id {i} is not in the vocabulary of {self.vocab_size} pieces (0 to"
                    f" {self.vocab_size - 1}). Is it another tokenizer's?"
                )
        return plain
