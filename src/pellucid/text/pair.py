"""The tokenizers of the two sides of a translator."""

from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.text.absent import AbsentTokenizer
from pellucid.text.template import END_TOKEN_ONLY
from pellucid.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Tokenizers:
    """The tokenizers of source and target: one object if the vocabulary is joint."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        return self.source is self.target

    @classmethod
    def absent(cls, directory: Path) -> "Tokenizers":
        """Return placeholders for a directory without tokenizers: any use raises UsageError."""
        absent = AbsentTokenizer(directory)
        return cls(absent, absent)

    def with_end_tokens(self) -> "Tokenizers":
        """Return these tokenizers with the end token as the only special token around a text."""
        source = self.source.with_template(*END_TOKEN_ONLY)
        return Tokenizers(
            source, source if self.joint else self.target.with_template(*END_TOKEN_ONLY)
        )

    def limit_vocab(self, n_source: int, n_target: int) -> "Tokenizers":
        """Limit both sides to the rows of a model's embeddings; see `Tokenizer.limit_vocab`."""
        source = self.source.limit_vocab(n_source)
        joint = self.joint and n_source == n_target
        return Tokenizers(source, source if joint else self.target.limit_vocab(n_target))

    def save(self, directory: Path) -> None:
        """Write tokenizer.json if joint, else source_tokenizer.json and target_tokenizer.json."""
        if self.joint:
            self.source.save(directory)
        else:
            self.source.save(directory, "source_tokenizer")
            self.target.save(directory, "target_tokenizer")

    @classmethod
    def load(cls, directory: Path) -> "Tokenizers":
        """Raises: DataError if a file is missing; VerificationError if one is damaged."""
        directory = Path(directory)
        if (directory / "tokenizer.json").exists():
            joint = Tokenizer.load(directory)
            return cls(joint, joint)
        if not (directory / "source_tokenizer.json").exists():
            raise DataError(
                f"{directory} has neither tokenizer.json nor source_tokenizer.json. Name a"
                " directory that holds a tokenizer, or train one: pellucid tokenizer train."
            )
        source = Tokenizer.load(directory, "source_tokenizer")
        return cls(source, Tokenizer.load(directory, "target_tokenizer"))
