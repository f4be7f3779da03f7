"""Checks and repairs of a text before it is tokenized."""

import re
from collections.abc import Collection, Iterable

from pellucid.errors import DataError, UsageError

MAX_CHARACTERS = 262_144  # `tokenizers` takes 1.2 s for a million characters
SURROGATE = re.compile("[\ud800-\udfff]")


def repair(text: str) -> tuple[str, int]:
    """Replace each lone surrogate by U+FFFD; return the text and the number of replacements.

    Lone surrogates (half of a UTF-16 pair) cannot be written as UTF-8; positions stay the same.
    """
    if text.isascii():
        return text, 0
    return SURROGATE.subn("\ufffd", text)


def clean_text(text: str) -> str:
    """Return the text with lone surrogates replaced.

    Raises: UsageError if it is no string; DataError if it is too long for one text.
    """
    check_text(text)
    if len(text) > MAX_CHARACTERS:
        raise DataError(
            f"a text has {len(text):,} characters, more than {MAX_CHARACTERS:,}: it is more likely"
            f" a file without line ends than a sentence. It begins {text[:40]!r}. Split it into"
            " sentences."
        )
    return repair(text)[0]


def check_text(text: object) -> None:
    """Raises: UsageError if a text is not a string."""
    if not isinstance(text, str):
        raise UsageError(f"{text!r:.60} is {type(text).__name__} and no text. Give a str.")


def check_many(texts: object, verb: str) -> None:
    """Raises: UsageError if a method that takes a list of texts gets something else."""
    is_text = isinstance(texts, (str, bytes))
    if is_text or not isinstance(texts, Collection):
        written = "list(texts)" if isinstance(texts, Iterable) and not is_text else "[text]"
        raise UsageError(f"{verb} takes a list of texts. Write m.{verb}({written}).")
