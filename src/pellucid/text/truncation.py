"""Texts and pairs of texts with their special tokens, cut where they are too long."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from pellucid.text.template import Wrapped
from pellucid.text.tokenizer import Tokenizer

Ids = TypeVar("Ids", bound=Sequence[int])


class CutText(NamedTuple):
    """A text or a pair as a model reads it."""

    wrapped: Wrapped
    n_cut: int
    """Tokens that were cut off."""


def count_special_tokens(tokenizer: Tokenizer, is_pair: bool) -> int:
    """Return the number of special tokens around one text, or around two."""
    return len(tokenizer.add_special_tokens([], [] if is_pair else None).ids)


def truncate(first: Ids, second: Ids, max_tokens: int) -> tuple[Ids, Ids]:
    """Return both texts cut at their ends, so that together they have at most `max_tokens` tokens.

    Tokens are removed from the longer text; from both alike once they are equally long.
    Source: `longest_first` of the tokenizers library with the direction `right`; a directory with
    `truncation_side` left is opened with a note.
    """
    shorter, longer = sorted((len(first), len(second)))
    if shorter + longer <= max_tokens:
        return first, second
    longer = max(shorter, max_tokens - shorter)
    if shorter + longer > max_tokens:
        shorter = max_tokens // 2
        longer = max_tokens - shorter
    n_first, n_second = (longer, shorter) if len(first) > len(second) else (shorter, longer)
    return first[:n_first], second[:n_second]  # type: ignore[return-value]


def wrap_texts(
    tokenizer: Tokenizer, first: Sequence[int], second: Sequence[int] | None, limit: int = 0
) -> CutText:
    """Return the ids and segments of one text, or of two, with the special tokens.

    limit: most tokens, special ones included; 0 means any number.
    """
    a, b = first, () if second is None else second
    if limit:
        room = max(0, limit - count_special_tokens(tokenizer, second is not None))
        a, b = truncate(a, b, room)
    n_cut = len(first) + len(second or ()) - len(a) - len(b)
    return CutText(tokenizer.add_special_tokens(a, None if second is None else b), n_cut)
