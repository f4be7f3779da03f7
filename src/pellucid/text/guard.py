"""What is done to a text before the tokenizer library sees it."""

import re

from pellucid.errors import DataError

LONGEST = 262_144  # characters; the library needs 1.2 s for a million, and users send books
SURROGATE = re.compile("[\ud800-\udfff]")


def repair(text: str) -> tuple[str, int]:
    """The text with each lone surrogate replaced by U+FFFD, and how many there were.

    Lone surrogates (half of a UTF-16 pair) cannot be written as UTF-8; positions stay the same.
    """
    if text.isascii():
        return text, 0
    return SURROGATE.subn("\ufffd", text)


def guarded(text: str) -> str:
    """The text, repaired. Raises: DataError if it is too long for one text."""
    if len(text) > LONGEST:
        raise DataError(
            f"a text has {len(text):,} characters, more than {LONGEST:,}: it is more likely a file"
            f" without line ends than a sentence. It begins {text[:40]!r}. Split it into sentences."
        )
    return repair(text)[0]
