"""The tokenizers of the two sides of a translator."""

from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.text.absent import AbsentTokenizer
from pellucid.text.template import END_TOKEN_ONLY
from pellucid.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Tokenizers:
    """Source and target; a joint vocabulary is one object on both sides."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        return self.source is self.target

    @classmethod
    def absent(cls, directory: Path) -> "Tokenizers":
        """The tokenizers of a directory that has none: any use raises an error that says so."""
        absent = AbsentTokenizer(directory)
        return cls(absent, absent)

    def with_end_tokens(self) -> "Tokenizers":
        """The same tokenizers with the end token after each text as the only special token."""
        source = self.source.with_template(*END_TOKEN_ONLY)
        return Tokenizers(
            source, source if self.joint else self.target.with_template(*END_TOKEN_ONLY)
        )

    def bounded(self, n_source: int, n_target: int) -> "Tokenizers":
        """The tokenizers of a model with this many rows on either side; see `Tokenizer.bounded`."""
        source = self.source.bounded(n_source)
        joint = self.joint and n_source == n_target
        return Tokenizers(source, source if joint else self.target.bounded(n_target))

    def save(self, directory: Path) -> None:
        """tokenizer.json if joint, else source_tokenizer.json and target_tokenizer.json."""
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
