"""Cut sentences that are too long between words."""

from collections.abc import Iterator

from pellucid.text.words import WordPieces


def split_into_windows(pieces: WordPieces, max_tokens: int) -> Iterator[slice]:
    """Yield slices of words whose tokens together are at most `max_tokens`.

    A word with more tokens than that is a window of its own.
    """
    begin, n_words = 0, len(pieces.first)
    ends = [*pieces.first[1:], len(pieces.ids)]
    while begin < n_words:
        end = begin + 1
        while end < n_words and ends[end] - pieces.first[begin] <= max_tokens:
            end += 1
        yield slice(begin, end)
        begin = end


def token_span(pieces: WordPieces, words: slice) -> tuple[int, int]:
    """Return the start and end of the tokens of these words."""
    after = pieces.first[words.stop] if words.stop < len(pieces.first) else len(pieces.ids)
    return pieces.first[words.start], after
