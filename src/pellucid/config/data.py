"""Where a run's text comes from, and how it becomes ids."""

from dataclasses import dataclass, field
from typing import Literal

from pellucid.config.checks import check_at_least, check_at_most
from pellucid.errors import ConfigError

GARDEN = "garden"
MAX_LENGTHS = {"max_length": 10_000_000, "max_line_bytes": 1 << 30}
MAX_TOKENIZER_SIZES = {"vocab_size": 1_000_000, "min_frequency": 1_000_000_000}
"""Beyond these the libraries below end the process, with no error that could be explained."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The files of a run: text, TSV, CSV, JSONL, Parquet, CoNLL or SQuAD; `.gz` is read as is.

    The name `garden` in place of files means the built-in corpus.
    """

    train: tuple[str, ...] = ()
    """Files, folders (read recursively, in sorted order) and globs. Two aligned text files hold
    the two sides of parallel text; other files are read one after the other."""
    valid: tuple[str, ...] = ()
    """The same for validation; empty: a small part of the training data is held out."""
    columns: dict[str, str | int] = field(default_factory=dict)
    """Which field of the files each column of the task is read from: a name in a header, a key
    of JSON, or a number from 1, such as text=review label=3. Empty: recognized by usual names."""
    documents: Literal["line", "blank_line", "file"] = "line"
    """Where a document ends in plain text: at each line, at blank lines, or with the file."""
    source_language: str = ""
    """Language codes such as `en`; from the files' endings where they say it."""
    target_language: str = ""
    max_length: int = 256
    """Most tokens of an example. Translation leaves out pairs with more on either side, and counts
    them. Other tasks cut longer texts into several examples; there special tokens count."""
    max_line_bytes: int = 65_536
    """A longer line is an error: it is more likely a broken file than a sentence."""

    def __post_init__(self) -> None:
        check_at_least(1, self, "max_length", "max_line_bytes")
        check_at_most(MAX_LENGTHS, self)
        for name, number in self.columns.items():
            if number == "" or (isinstance(number, int) and number < 1):
                raise ConfigError(
                    f"columns: {name} is read from {number!r}. Name a field, or count from 1."
                )


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How text is cut into pieces."""

    kind: Literal["byte-bpe", "bpe", "unigram", "wordpiece", "word", "char"] = "byte-bpe"
    """`byte-bpe` cuts any text without loss; `bpe` marks word ends and keeps the text's spaces as
    the only word boundaries (for text that is already tokenised)."""
    vocab_size: int = 10_000
    joint: bool = True
    """One vocabulary for source and target, learned from both."""
    lowercase: bool = False
    normalize: Literal["none", "nfc", "nfkc"] = "nfc"
    min_frequency: int = 2
    """A merge or word must be seen this often to enter the vocabulary."""
    path: str = ""
    """A tokenizer directory to use as it is, instead of training one."""

    def __post_init__(self) -> None:
        check_at_least(8, self, "vocab_size")
        check_at_least(1, self, "min_frequency")
        check_at_most(MAX_TOKENIZER_SIZES, self)
        if self.kind == "byte-bpe" and self.vocab_size < 272:
            raise ConfigError(
                f"vocab_size={self.vocab_size} is too small for byte-bpe: 256 bytes and the special"
                " tokens alone need 272. Use more, or kind: char."
            )
