"""The tokenizers of the two sides of a translator."""

from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.text.absent import AbsentTokenizer
from pellucid.text.template import ENDED
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
        """What a directory without a tokenizer has: whoever asks for it is told so."""
        nothing = AbsentTokenizer(directory)
        return cls(nothing, nothing)

    def with_end_tokens(self) -> "Tokenizers":
        """The same tokenizers; each text ends with the end token, and has no other special one."""
        source = self.source.with_template(*ENDED)
        return Tokenizers(source, source if self.joint else self.target.with_template(*ENDED))

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
