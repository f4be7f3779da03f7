"""What a reader asks of a model: a text, and how the model reads and writes."""

from dataclasses import dataclass

from pellucid.errors import UsageError
from pellucid.explain.rows import Writing


@dataclass(frozen=True)
class TextRequest:
    """A text for a model. Empty settings are left to the model."""

    text: str = ""
    """Two texts with a tab between them for a model that reads pairs."""
    target: str = ""
    """What the decoder writes; empty means what the model itself writes."""
    to: str = ""
    """Target language of a model with several."""
    source_language: str = ""
    """Language of the text, for a model that marks it."""
    head: str = ""
    """The head that predicts, of a model with several."""
    max_new: int = 8
    """Maximum number of tokens with which a decoder-only model continues the text."""

    @property
    def writing(self) -> Writing:
        """What the decoder writes. Raises: UsageError if `max_new` is negative."""
        if self.max_new < 0:
            raise UsageError(f"max_new={self.max_new}: a text continues with 0 tokens or more.")
        return Writing(self.target or None, self.to, self.source_language, self.max_new)

    @property
    def chosen_head(self) -> str | None:
        """The head that predicts; None leaves it to the model."""
        return self.head or None
