"""A placeholder for a missing tokenizer."""

from pathlib import Path
from typing import NoReturn

from pellucid.errors import UsageError
from pellucid.text.tokenizer import Tokenizer


class AbsentTokenizer(Tokenizer):
    """Stands in for the tokenizer of a directory that has none."""

    is_present = False

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getattr__(self, name: str) -> NoReturn:
        """Raises: UsageError at each use."""
        raise UsageError(
            f"{self._directory} holds no tokenizer: only ids go in and out. Put the model's"
            " tokenizer files next to its weights."
        )
