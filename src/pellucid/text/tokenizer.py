"""A trained tokenizer, over the `tokenizers` library: text to ids and pieces, and back."""

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
from pellucid.text.library import read_library, roles_of, without_special
from pellucid.text.template import Template, Wrapped, read_template, template_processor

ROLES = ("pad", "bos", "eos", "unk")
TOKENS = {"pad": "<pad>", "bos": "<s>", "eos": "</s>", "unk": "<unk>"}


class Encoding(NamedTuple):
    """A text as pieces."""

    ids: list[int]
    pieces: list[str]
    offsets: list[tuple[int, int]]  # characters of the text; for a byte, its character


class Strips(NamedTuple):
    """The sides of a special token on which spaces are removed (lstrip and rstrip)."""

    before: bool
    after: bool


class Tokenizer:
    """Text to ids and back. Ids of special tokens come from `id`, never from text."""

    is_present = True
    _n_rows: int | None = None  # of a model that has fewer than there are tokens

    def __init__(self, library: tokenizers.Tokenizer, roles: dict[str, str], kind: str) -> None:
        """`roles`: the token of each. Raises: DataError if one is not in the vocabulary."""
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
            library.model = without_special(library)

    def id(self, role: str) -> int:
        """The id of a special token. Raises: UsageError naming the known roles."""
        if role not in self.roles:
            known = ", ".join(self.roles) or "none"
            raise UsageError(f"this tokenizer has no {role!r} token. Known roles: {known}.")
        return self.roles[role]

    def strips(self, role: str) -> "Strips":
        """Which spaces around a special token in a text belong to the token."""
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
        """The same tokenizer with other special tokens around one text, and around two.

        single, pair: roles and texts in order, as in ("cls", "A", "sep"); see `template_processor`.
        """
        library = tokenizers.Tokenizer.from_str(self.to_json())
        vocab = library.get_vocab(with_added_tokens=True)
        library.post_processor = template_processor(single, pair, self.tokens, vocab)
        return Tokenizer(library, self.tokens, self.kind)

    def bounded(self, n_rows: int) -> Self:
        """The tokenizer of a model with `n_rows` embeddings: a text that needs others is refused.

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
        """Ids, pieces and offsets of a text, without special tokens."""
        encoding = self._library.encode(clean_text(text), add_special_tokens=False)
        # Not encoding.tokens: for an unknown character Unigram puts the character itself there.
        return Encoding(encoding.ids, self.pieces(encoding.ids), encoding.offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many texts: as by `encode`, but faster."""
        clean = [clean_text(text) for text in texts]
        encodings = self._library.encode_batch_fast(clean, add_special_tokens=False)
        return self._with_rows([encoding.ids for encoding in encodings])

    def add_special_tokens(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> Wrapped:
        """The ids of one text, or of two, with the special tokens that the model expects."""
        return self.template.wrap(
            self._check_ids(ids), None if pair is None else self._check_ids(pair)
        )

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens; bytes that are no UTF-8 become U+FFFD.

        Raises: UsageError at an id that is not in the vocabulary.
        """
        return self._library.decode(self._check_ids(ids), skip_special_tokens=True)

    def normalize(self, text: str) -> str:
        """The form of a text that `decode(encode(text).ids)` gives back if no piece is unknown."""
        clean = clean_text(text)
        return self._library.normalizer.normalize_str(clean) if self._library.normalizer else clean

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces of ids, as the vocabulary has them; an id without one is called "<1117>"."""
        pieces = [(i, self._id_to_piece(i)) for i in self._check_ids(ids)]
        return [f"<{i}>" if piece is None else piece for i, piece in pieces]

    def decode_output(self, ids: Sequence[int]) -> str:
        """The text of ids that a model wrote; those that are no pieces are left out."""
        return self.decode([i for i in ids if i in self._known_ids])

    def output_pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces of ids that a model wrote, also of ids beyond the vocabulary."""
        return [self.pieces([i])[0] if i in self._known_ids else f"<{i}>" for i in ids]

    def display(self, ids: Sequence[int]) -> list[str]:
        """The readable text of each id, with its spaces."""
        return [display(piece, self.kind) for piece in self.pieces(ids)]

    def to_json(self) -> str:
        """The library's description: everything that decides the ids of a text."""
        used = self._library.model
        self._library.model = self._written_model
        description = self._library.to_str(pretty=True)
        self._library.model = used
        return description

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
        """Read what `save` or another tool wrote.

        Raises: DataError if a file is missing; VerificationError naming the damaged file.
        """
        path = Path(directory) / f"{name}.json"
        config_path = Path(directory) / f"{name}_config.json"
        library = read_library(path)
        config = read_json(config_path)
        roles = roles_of(config, config_path)
        kind = config.get("kind", "")
        try:
            return cls(library, roles, kind if isinstance(kind, str) else "")
        except DataError as error:
            raise VerificationError(f"{path}: {error} Copy the directory again.") from error

    def _input_names(self) -> list[str]:
        """What `transformers` passes to a model; segments only where the template has a second."""
        names = ["input_ids", "attention_mask"]
        has_segments = self.template != Template() and any(s.segment for s in self.template.pair)
        return ["input_ids", "token_type_ids", "attention_mask"] if has_segments else names

    def _set_vocab(self, vocab: Mapping[str, int], roles: Mapping[str, str]) -> None:
        """Take the ids of roles and pieces from a vocabulary."""
        missing = sorted(token for token in roles.values() if token not in vocab)
        if missing or not vocab:
            raise DataError(f"the tokenizer's vocabulary lacks its special tokens {missing}.")
        self.vocab_size = max(vocab.values()) + 1
        self.tokens = dict(roles)
        self.roles = {role: vocab[token] for role, token in roles.items()}
        self._known_ids = frozenset(vocab.values())

    def _id_to_piece(self, i: int) -> str | None:
        return self._library.id_to_token(i)

    def _with_rows(self, batch: list[list[int]]) -> list[list[int]]:
        """The ids of texts. Raises: UsageError if the model lacks the row of one."""
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
