"""Settings of the data files and the tokenizer of a run."""

from dataclasses import dataclass, field
from typing import Literal

from pellucid.config.checks import check_at_least, check_at_most
from pellucid.errors import ConfigError

GARDEN = "garden"
MAX_LENGTHS = {"max_length": 10_000_000, "max_line_bytes": 1 << 30}
MAX_TOKENIZER_SIZES = {"vocab_size": 1_000_000, "min_frequency": 1_000_000_000}
"""Above these limits the libraries abort the process without an exception."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Data files of a run: text, TSV, CSV, JSONL, Parquet, CoNLL or SQuAD, also gzipped.

    The name `garden` instead of files means the built-in corpus.
    """

    train: tuple[str, ...] = ()
    """Training files, folders (read recursively, in sorted order) and globs. Two aligned text files
    are source and target; other files are read one after the other."""
    valid: tuple[str, ...] = ()
    """Validation files; empty means that a small part of the training data is held out."""
    columns: dict[str, str | int] = field(default_factory=dict)
    """Field of the files for each column of the task: a name in the header, a JSON key, or a number
    from 1, such as text=review label=3. Empty means that columns are recognized by usual names."""
    labels: tuple[str, ...] = ()
    """Names of labels that the files write as whole numbers: the name of 0 first. Their ids in the
    model have this order. Empty means that labels are as in the files, in alphabetical order."""
    documents: Literal["line", "blank_line", "file"] = "line"
    """Where a document ends in plain text: at each line, at blank lines, or at the end of the file.
    """
    source_language: str = ""
    """Language code such as `en`; empty means that of the file names, if they end in one."""
    target_language: str = ""
    """As source_language, for the target."""
    directions: tuple[str, ...] = ()
    """Directions of one translator for several, such as en-de de-en zh-en. Each source is marked
    with the language of its translation. The languages of a pair are those of its columns
    `source_language` and `target_language`, else those in the file's name, as in train.en-de.tsv.
    Each pair serves both directions. Empty means one direction."""
    languages: tuple[str, ...] = ()
    """Languages of one denoising model for several (mBART), such as en de zh. The language of a
    text is that of its column `language`, else the one in its file's name, as in news.de.gz or
    news.de.jsonl. Empty means that texts are not marked with a language. An error where it would
    have no effect."""
    max_length: int = 256
    """Maximum tokens of an example. Translation leaves out pairs with more on either side and
    counts them. Other tasks count special tokens: classification, similarity and summarization
    cut longer texts at their end, the others cut them into several examples."""
    max_line_bytes: int = 65_536
    """A longer line is an error: it is more likely a broken file than a sentence."""

    def __post_init__(self) -> None:
        check_at_least(1, self, "max_length", "max_line_bytes")
        check_at_most(MAX_LENGTHS, self)
        if len(set(self.labels)) < len(self.labels) or "" in self.labels:
            raise ConfigError(f"labels={self.labels}: names must differ, and not be empty.")
        if len(set(self.languages)) < len(self.languages) or "" in self.languages:
            raise ConfigError(f"languages={self.languages}: codes must differ, and not be empty.")
        if any("-" in language for language in self.languages):
            raise ConfigError(
                f"languages={self.languages}: write codes with an underscore, such as zh_TW."
            )
        for direction in self.directions:
            if len(set(direction.split("-"))) != 2 or not all(direction.split("-")):
                raise ConfigError(
                    f"directions: {direction[:40]!r} is not two different languages with a hyphen"
                    " between, such as en-de. Write codes with an underscore: zh_TW-en."
                )
        for name, number in self.columns.items():
            if number == "" or (isinstance(number, int) and number < 1):
                raise ConfigError(
                    f"columns: {name} is read from {number!r}. Name a field, or count from 1."
                )

    @property
    def all_languages(self) -> tuple[str, ...]:
        """The languages of all texts and directions."""
        of_pairs = (code for each in self.directions for code in each.split("-"))
        return tuple(dict.fromkeys((*self.languages, *of_pairs)))


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """Settings of a tokenizer."""

    kind: Literal["byte-bpe", "bpe", "unigram", "wordpiece", "word", "char"] = "byte-bpe"
    """Algorithm. byte-bpe encodes any text without loss. bpe splits words only at spaces and marks
    their ends, for text that is already tokenised."""
    vocab_size: int = 10_000
    joint: bool = True
    """Use one vocabulary for source and target, learned from both."""
    lowercase: bool = False
    normalize: Literal["none", "nfc", "nfkc"] = "nfc"
    min_frequency: int = 2
    """Minimum number of occurrences of a merge or word in the vocabulary."""
    path: str = ""
    """An existing tokenizer directory to use instead of training a tokenizer."""

    def __post_init__(self) -> None:
        check_at_least(8, self, "vocab_size")
        check_at_least(1, self, "min_frequency")
        check_at_most(MAX_TOKENIZER_SIZES, self)
        if self.kind == "byte-bpe" and self.vocab_size < 272:
            raise ConfigError(
                f"vocab_size={self.vocab_size} is too small for byte-bpe: 256 bytes and the special"
                " tokens alone need 272. Use more, or kind: char."
            )
